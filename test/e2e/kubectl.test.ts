/**
 * Each generation of kubectl on one running cluster: logs, exec, attach, port-forward, cp, describe, scale, delete.
 * 1.20 is Debian's and streams by SPDY; later ones by WebSocket, from 1.31 on by default.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../support/eventually.ts'
import { allReady, type IsolatedCluster, isReady } from '../support/isolated-cluster.ts'
import { findKubectls } from '../support/kubectl.ts'
import type { CommandResult, RunOptions } from '../support/own-network.ts'
import { findPeer, obtainPeers } from '../support/peers.ts'
import { lacking, sharedCluster } from '../support/shared-cluster.ts'
import { fetchInside } from '../support/web-client.ts'

type Ask = (args: readonly string[], options?: RunOptions) => Promise<CommandResult>

const programs = findKubectls()
programs.delete('kubectl') // the same program as one of the others, or the only one
if (programs.size === 0) programs.set('kubectl', 'kubectl')
const absent = lacking() === undefined ? (await obtainPeers(['debian-kubectl']))[0]?.reason : undefined
if (absent) test.skip(`Debian's kubectl 1.20 (${absent})`, () => undefined)
else programs.set('kubectl of Debian', findPeer('debian-kubectl') ?? '')

const clusterTest = sharedCluster('kubectl')

for (const [name, program] of [...programs].sort()) {
  const app = name.replaceAll(/[^a-z0-9]+/g, '-')
  clusterTest(
    `${name}: create, logs, exec, attach, port-forward, cp, describe, scale, delete`,
    async (t, cluster) => {
      const ask: Ask = (args, options) => cluster.kubectl(args, { ...options, program })
      const ok = async (args: readonly string[], options?: RunOptions) => {
        const { code, stdout, stderr } = await ask(args, options)
        t.is(code, 0, `${args.join(' ')}: ${stderr}`)
        return stdout
      }
      t.regex(await ok(['create', '-f', '-'], { input: manifestOf(app) }), /deployment.apps\/\S+ created/)
      const [pod] = await cluster.podsUntil('a ready pod', allReady(1), { selector: `app=${app}` })
      const web = pod?.metadata.name ?? ''
      const before = await followLogs(t, cluster, program, web, pod?.status.podIP ?? '')
      t.is(await ok(['logs', web, '--tail', '1']), `${before.at(-1)}\n`)
      t.is(await ok(['logs', `deployment/${app}`]), `${before.join('\n')}\n`)
      await execute(t, ask, web)
      await terminal(t, cluster, program, web)
      await forward(t, cluster, program, web)
      await copy(t, cluster, ok, web)
      t.regex(await ok(['describe', 'pod', web]), /Status: +Running[\s\S]*Events:[\s\S]*Started/)
      await previous(t, cluster, ok, web)
      t.regex(await ok(['scale', 'deployment', app, '--replicas=2']), /scaled/)
      await cluster.podsUntil('two pods', allReady(2), { selector: `app=${app}` })
      t.regex(
        await ok(['get', 'pods', '-l', `app=${app}`, '-o', 'wide']),
        /1\/1 +Running[\s\S]*10\.42\.0\.\d+ +node-1/,
      )
      t.regex(await ok(['delete', 'deployment', app]), /deployment.apps "\S+" deleted/)
      await cluster.podsUntil('no pods', (pods) => pods.length === 0, { selector: `app=${app}` })
    },
  )
}

function manifestOf(app: string): string {
  const labels = { app }
  const containers = [{ name: 'web', image: 'nginx:1.7.9' }]
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    },
  })
}

/** A line is there as soon as the container wrote it; the lines of the log. */
async function followLogs(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  program: string,
  pod: string,
  address: string,
): Promise<string[]> {
  const child = start(cluster, program, ['logs', '-f', pod])
  try {
    await fetchInside(cluster.network, `http://${address}/`)
    await fetchInside(cluster.network, `http://${address}/missing`)
    await eventually('the second request in the log', () =>
      /url:\/missing[\s\S]*response:404\n/.test(child.output()),
    )
    t.regex(child.output(), /url:\/\n/)
    return child.output().trimEnd().split('\n')
  } finally {
    child.kill()
  }
}

async function execute(t: ExecutionContext, ask: Ask, pod: string): Promise<void> {
  const failed = await ask(['exec', pod, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])
  t.deepEqual([failed.code, failed.stdout], [7, 'out\n'], failed.stderr)
  t.regex(failed.stderr, /^err\ncommand terminated with exit code 7\n$/)
  const input = randomBytes(200_000).toString('hex')
  const counted = await ask(['exec', '-i', pod, '--', 'wc', '-c'], { input })
  t.deepEqual([counted.code, counted.stdout.trim()], [0, '400000'], counted.stderr)
  const unknown = await ask(['exec', pod, '--', 'nonsense'])
  t.not(unknown.code, 0)
  t.regex(unknown.stderr, /nonsense/)
}

/** `script` gives kubectl a terminal, as a person does. Its size comes soon after the start, as from other runtimes. */
async function terminal(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  program: string,
  pod: string,
): Promise<void> {
  const command = `stty rows 33 cols 101; ${program} exec -it ${pod} -- sh -c 'tty; until stty size 2>/dev/null | grep .; do sleep 0.05; done; read line; echo got $line; exit 5'`
  const env = cluster.kubectlEnvironment
  const result = await cluster.network.run('script', ['-qec', command, '/dev/null'], {
    env,
    input: 'hello\n',
  })
  t.is(result.code, 5, result.stdout + result.stderr)
  t.regex(result.stdout, /\/dev\/pts\/0\r\n/)
  t.regex(result.stdout, /33 101\r\n/)
  t.regex(result.stdout, /got hello\r\n/)
}

async function forward(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  program: string,
  pod: string,
): Promise<void> {
  const child = start(cluster, program, ['port-forward', pod, ':80'])
  try {
    const port = await eventually(
      'the forwarded port',
      () => /127\.0\.0\.1:(\d+) ->/.exec(child.output())?.[1],
      10_000,
    )
    t.deepEqual(
      await fetchInside(cluster.network, `http://127.0.0.1:${port}/`, 3),
      Array(3).fill(`hello from ${pod}`),
    )
  } finally {
    child.kill()
  }
}

/** By tar in the container, both ways. */
async function copy(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  ok: (args: readonly string[]) => Promise<string>,
  pod: string,
): Promise<void> {
  const [here, back] = [join(cluster.directory, 'sent'), join(cluster.directory, 'received')]
  const content = randomBytes(50_000)
  await writeFile(here, content)
  await ok(['cp', here, `${pod}:/tmp/sent`])
  await ok(['cp', `${pod}:/tmp/sent`, back])
  t.true((await readFile(back)).equals(content))
}

/** After a restart, the log of the life before. */
async function previous(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  ok: (args: readonly string[]) => Promise<string>,
  pod: string,
): Promise<void> {
  await cluster.endContainer(pod)
  await cluster.podsUntil(
    'the restart',
    (pods) =>
      pods.some(
        (one) =>
          one.metadata.name === pod && isReady(one) && one.status.containerStatuses?.[0]?.restartCount === 1,
      ),
    { selector: '' },
  )
  t.regex(await ok(['logs', '--previous', pod]), /url:\/missing[\s\S]*bye\n$/)
  t.notRegex(await ok(['logs', pod]), /missing/)
}

function start(
  cluster: IsolatedCluster,
  program: string,
  args: string[],
): { output(): string; kill(): void } {
  const env = { ...process.env, ...cluster.kubectlEnvironment }
  const child = spawn(...cluster.network.enter(program, ...args), {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  return { output: () => text, kill: () => void child.kill() }
}
