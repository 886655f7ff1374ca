/** Every command of crictl against `keelson cri` as somebody would start it, on a machine of its own. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findCriTool } from '../../scripts/cri-tools.mjs'
import { busyboxPath } from '../support/busybox-image.ts'
import { criHostTests } from '../support/cri-host-test.ts'
import { type CriHost, startCriHost } from '../support/critest-host.ts'
import { eventually } from '../support/eventually.ts'

const { criTest } = criHostTests(['crictl'])
const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.29-2'
const nginx = 'registry.k8s.io/e2e-test-images/nginx:1.14-2'

let shared: CriHost | undefined
test.after.always(async () => shared?.[Symbol.asyncDispose]())

/** The machine of this file, with both images. */
async function node(): Promise<CriHost> {
  if (shared) return shared
  const host = await startCriHost('crictl')
  shared = host
  for (const image of [busybox, nginx]) await said(host, 'pull', image)
  return host
}

/** What crictl printed; it must have ended well. */
async function said({ crictl }: CriHost, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await crictl(words, { timeoutMs: 30_000 })
  if (code !== 0) throw new Error(`crictl ${words.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** Flags stand before the ids. */
async function shown(host: CriHost, command: string, ...words: string[]) {
  return JSON.parse(await said(host, command, '-o', 'json', ...words))
}

async function fileOf({ host }: CriHost, name: string, content: unknown): Promise<string> {
  const path = join(host.folder, name)
  await writeFile(path, JSON.stringify(content))
  return path
}

interface Pod extends AsyncDisposable {
  id: string
  run(name: string, config: Record<string, unknown>): Promise<string>
}

async function startPod(host: CriHost, name: string): Promise<Pod> {
  const logs = join(host.host.folder, `logs-${name}`)
  await mkdir(logs)
  const config = await fileOf(host, `${name}.json`, {
    metadata: { name, namespace: 'default', uid: `uid-${name}`, attempt: 0 },
    log_directory: logs,
    labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'default' },
    linux: {
      cgroup_parent: `/${host.host.cgroup}/${name}`,
      security_context: { namespace_options: { pid: 1 } },
    },
  })
  const id = await said(host, 'runp', config)
  return {
    id,
    async run(container, more) {
      const own = await fileOf(host, `${name}-${container}.json`, {
        metadata: { name: container },
        image: { image: busybox },
        log_path: `${container}.log`,
        labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'default' },
        linux: { security_context: { namespace_options: { pid: 1 } } },
        ...more,
      })
      const containerId = await said(host, 'create', id, own, config)
      await said(host, 'start', containerId)
      return containerId
    },
    [Symbol.asyncDispose]: async () => void (await said(host, 'rmp', '--force', id)),
  }
}

const shell = (script: string) => ({ command: ['sh', '-c', script] })
const untilStopped = shell('trap "exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done')

criTest('images: pull, images, inspecti, imagefsinfo, rmi', async (t) => {
  const host = await node()
  const name = 'gcr.io/k8s-staging-cri-tools/test-image-1:latest'
  t.regex(await said(host, 'pull', name), /^Image is up to date for sha256:[0-9a-f]{64}$/)
  const { images } = await shown(host, 'images')
  t.true(images.some((image: { repoTags: string[] }) => image.repoTags.includes(name)))
  const { status } = await shown(host, 'inspecti', name)
  t.deepEqual(status.repoTags, [name])
  t.true(Number((await shown(host, 'imagefsinfo')).status.imageFilesystems[0].usedBytes.value) > 1e6)
  t.is(await said(host, 'rmi', name), `Deleted: ${name}`)
  t.is(await said(host, 'images', '--quiet', name), '')
})

criTest('a pod and a container from runp to rmp, seen by pods, ps, inspectp, inspect and logs', async (t) => {
  const host = await node()
  const pod = await startPod(host, 'life')
  const id = await pod.run('main', untilStopped)
  t.regex(await said(host, 'pods', '--name', 'life'), /\bReady\b.* life +default\b/)
  t.regex(await said(host, 'ps', '--pod', pod.id), /\bRunning\b.* main .* life +default$/)
  const { status: sandbox } = await shown(host, 'inspectp', pod.id)
  t.is(sandbox.state, 'SANDBOX_READY')
  t.regex(sandbox.network.ip, /^10\./)
  const { status, info } = await shown(host, 'inspect', id)
  t.is(status.state, 'CONTAINER_RUNNING')
  t.true(info.pid > 0)
  await eventually('the log is written', async () => (await host.crictl(['logs', id])).stderr.includes('err'))
  const { stdout, stderr } = await host.crictl(['logs', id])
  t.deepEqual(
    [stdout, stderr.split('\n').filter((line) => !line.startsWith('time='))],
    ['out\n', ['err', '']],
  )
  await said(host, 'stop', '--timeout', '5', id)
  t.is((await shown(host, 'inspect', id)).status.exitCode, 3)
  t.regex(await said(host, 'ps', '--all', '--id', id), /\bExited\b/)
  await said(host, 'rm', id)
  await said(host, 'stopp', pod.id)
  t.regex(await said(host, 'pods', '--id', pod.id), /\bNotReady\b/)
  await said(host, 'rmp', pod.id)
  t.is(await said(host, 'pods', '--quiet', '--id', pod.id), '')
})

criTest('stats, statsp, metricsp, metricdescs, update', async (t) => {
  const host = await node()
  await using pod = await startPod(host, 'figures')
  const id = await pod.run('main', untilStopped)
  const [stats] = (await shown(host, 'stats', '--id', id)).stats
  t.true(Number(stats.memory.workingSetBytes.value) > 0)
  const [podStats] = (await shown(host, 'statsp', '--id', pod.id)).stats
  t.is(podStats.attributes.metadata.name, 'figures')
  const { descriptors } = JSON.parse(await said(host, 'metricdescs'))
  const known = new Set(descriptors.map(({ name }: { name: string }) => name))
  const { podMetrics } = JSON.parse(await said(host, 'metricsp'))
  const of = podMetrics.find((one: { podSandboxId: string }) => one.podSandboxId === pod.id)
  t.true(of.metrics.length > 10)
  t.deepEqual(
    of.metrics.filter(({ name }: { name: string }) => !known.has(name)),
    [],
  )
  await said(host, 'update', '--memory', String(48 << 20), id)
  t.is(await said(host, 'exec', '--sync', id, 'echo', 'alive'), 'alive')
  t.is((await shown(host, 'inspect', id)).status.state, 'CONTAINER_RUNNING')
})

criTest('version, info, runtime-config, update-runtime-config, checkpoint', async (t) => {
  const host = await node()
  t.regex(await said(host, 'version'), /RuntimeName: +keelson\n.*\nRuntimeApiVersion: +v1/)
  const info = JSON.parse(await said(host, 'info'))
  t.deepEqual(
    info.status.conditions.map(({ status }: { status: boolean }) => status),
    [true, true],
  )
  t.regex(await said(host, 'runtime-config'), /CGROUPFS/)
  await said(host, 'update-runtime-config', '--pod-cidr', '10.9.0.0/16')
  await using pod = await startPod(host, 'frozen')
  const id = await pod.run('main', untilStopped)
  const archive = join(host.host.folder, 'checkpoint.tar')
  const { code, stderr } = await host.crictl(['checkpoint', '--export', archive, id])
  if (code === 0) t.true((await readFile(archive)).length > 0)
  else t.regex(stderr, /Unimplemented|criu/i) // where CRIU is absent, or too old for the kernel
})

criTest('events tells of a container as it goes by', async (t) => {
  const host = await node()
  const log = host.host.logOf('crictl')
  const events = host.host.start(findCriTool('crictl') ?? '', [
    ...['--runtime-endpoint', host.endpoint, '--timeout', '30s', 'events', '-o', 'json'],
  ])
  await using pod = await startPod(host, 'told')
  const id = await pod.run('main', shell('exit 5'))
  await eventually('all of its life is told', async () => {
    const text = await readFile(log, 'utf8')
    return ['CREATED', 'STARTED', 'STOPPED'].every((kind) => text.includes(`CONTAINER_${kind}_EVENT`))
  })
  t.true((await readFile(log, 'utf8')).includes(id))
  events.kill()
})

for (const transport of ['spdy', 'websocket'])
  criTest(`${transport}: exec with and without a terminal, attach, port-forward`, async (t) => {
    const host = await node()
    await using pod = await startPod(host, `streams-${transport}`)
    const id = await pod.run('main', { ...shell('while read line; do echo "got $line"; done'), stdin: true })
    await execs(t, host, id, transport)
    const attach = `${commandLine(host)} attach --stdin --transport ${transport} ${id}`
    const { stdout } = await host.host.shell(`{ echo one; sleep 1; } | timeout 5 ${attach}`)
    t.is(stdout, 'got one\n')
    await pod.run('web', { image: { image: nginx } })
    await forwards(t, host, pod.id, transport)
  })

async function execs(t: ExecutionContext, host: CriHost, id: string, transport: string): Promise<void> {
  const exec = (...words: string[]) => host.crictl(['exec', '--transport', transport, ...words])
  const plain = await exec(id, 'sh', '-c', 'echo out; echo err >&2; exit 4')
  t.is(plain.stdout, 'out\n')
  t.regex(plain.stderr, /^err$/m)
  t.regex(plain.stderr, /exit code 4/)
  const input = 'x'.repeat(1_000_000)
  t.is(
    (await host.crictl(['exec', '-i', '--transport', transport, id, 'wc', '-c'], { input })).stdout,
    '1000000\n',
  )
  const terminal = `${commandLine(host)} exec -it --transport ${transport} ${id} sh -c 'stty size; tty'`
  const { stdout } = await host.host.run('script', [
    '-qec',
    `stty rows 33 cols 101; ${terminal}`,
    '/dev/null',
  ])
  t.regex(stdout, /33 101\r\n/)
  t.regex(stdout, /\/dev\/pts\/\d+\r\n/)
}

async function forwards(t: ExecutionContext, host: CriHost, podId: string, transport: string): Promise<void> {
  const port = transport === 'spdy' ? 18_080 : 18_081
  const words = ['--runtime-endpoint', host.endpoint, 'port-forward', '--transport', transport]
  const forwarding = host.host.start(findCriTool('crictl') ?? '', [...words, podId, `${port}:80`])
  const fetched = () => host.host.run(busyboxPath, ['wget', '-qO-', `http://127.0.0.1:${port}/`])
  await eventually('the port leads to the pod', async () => (await fetched()).code === 0)
  for (let i = 0; i < 5; i++) t.is((await fetched()).stdout, 'served\n')
  forwarding.kill()
}

const commandLine = ({ endpoint }: CriHost) =>
  `${findCriTool('crictl')} --runtime-endpoint ${endpoint} --timeout 30s`
