/** `keelson up` where it cannot: one clear line, a non-zero exit, and the machine and the settings as before. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { IsolatedCluster } from '../support/isolated-cluster.ts'
import { run } from '../support/own-network.ts'
import { stackTest } from '../support/shared-cluster.ts'
import { differences, findTraces } from '../support/traces.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const listenOn = (where: string) =>
  `require('node:net').createServer().listen(${where}, () => console.log('ready'))`

/** A process in the cluster's network that listens, until the end of the scope. */
async function occupy(cluster: IsolatedCluster, where: string): Promise<AsyncDisposable> {
  const words = cluster.network.enter(process.execPath, '-e', listenOn(where))
  const child = spawn(...words, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function refuses(
  t: ExecutionContext,
  cluster: IsolatedCluster,
  message: RegExp,
  flags: string[] = [],
  code = 1,
): Promise<void> {
  const before = await findTraces(cluster)
  const failed = await cluster.keelson('up', '-d', ...flags)
  t.is(failed.code, code, failed.stderr)
  t.regex(failed.stderr, message)
  t.notRegex(failed.stderr, /\n\s+at /, 'no stack trace')
  t.is(failed.stdout, '')
  t.deepEqual(differences(before, await findTraces(cluster)), [])
  t.false(existsSync(join(cluster.dataDirectory, 'config.json')), 'nothing of it is kept for the next start')
}

stackTest('a port or socket that another process has', async (t) => {
  await using cluster = await IsolatedCluster.create('busy')
  const socket = join(cluster.directory, 'cri.sock')
  {
    await using _ = await occupy(cluster, `6443, '0.0.0.0'`)
    await refuses(
      t,
      cluster,
      /keelson: another process listens on 0.0.0.0:6443 already\n {2}stop it, or .* the API server\n$/,
    )
  }
  {
    await using _ = await occupy(cluster, `10250, '0.0.0.0'`)
    await refuses(
      t,
      cluster,
      /keelson: another process listens on 0.0.0.0:10250 already\n {2}stop it, or .* the kubelet\n$/,
    )
  }
  {
    await using _ = await occupy(cluster, `'${socket}'`)
    const message = /keelson: another process is serving on \S+cri.sock\n {2}stop it, or .* --cri-socket\n$/
    await refuses(t, cluster, message, ['--cri-socket', socket])
    t.true(existsSync(socket), 'theirs is left alone')
  }
  await cluster.up()
  t.is((await cluster.keelson('status')).code, 0, 'with the places free it starts')
})

stackTest('wrong flags, refused before anything is touched', async (t) => {
  await using cluster = await IsolatedCluster.create('flags')
  for (const [flags, message] of [
    [['--port', 'http'], /^keelson: --port: a port number from 1 to 65535 is expected, not "http"\n$/],
    [['--pod-cidr', '10.43.0.0/24'], /^keelson: --pod-cidr \S+ and --service-cidr \S+ overlap\n/],
    [['--registries', '/no/such'], /^keelson: the registries file \/no\/such cannot be read\n/],
    [['--nonsense'], /^keelson: there is no option --nonsense\n/],
    [['extra'], /^keelson: "extra" is one argument too many\n/],
  ] as const)
    await refuses(t, cluster, message, [...flags], 2)
  await refuses(t, cluster, /192.0.2.1 is no address of this machine\n {2}choose one/, [
    '--address',
    '192.0.2.1',
  ])
})

stackTest('a start that fails leaves the running cluster as it was', async (t) => {
  await using cluster = await IsolatedCluster.create('second')
  await cluster.up()
  const saved = await readFile(join(cluster.dataDirectory, 'config.json'), 'utf8')
  const { code, stderr } = await cluster.keelson('up', '-d', '--address', '192.0.2.1')
  t.is(code, 1)
  t.regex(stderr, /192.0.2.1 is no address of this machine/)
  t.is(await readFile(join(cluster.dataDirectory, 'config.json'), 'utf8'), saved)
  await cluster.up()
  t.is((await cluster.keelson('status')).code, 0)
})

stackTest('without root: one line, and nothing is made', async (t) => {
  await using cluster = await IsolatedCluster.create('nobody')
  const copy = join(cluster.directory, 'copy')
  await mkdir(copy, { mode: 0o755 })
  // The checkout itself may lie where only root can go.
  for (const name of ['bin', 'build/Release', 'dist', 'native', 'package.json'])
    await cp(join(root, name), join(copy, name), { recursive: true })
  await run('chmod', ['755', cluster.directory])
  const before = await findTraces(cluster)
  for (const [command, expected] of [
    [['up', '-d'], /^keelson: this needs root: .*\n {2}run it with sudo\n$/],
    [['down'], /^keelson: this needs root: /],
  ] as const) {
    const words = ['--reuid=65534', '--regid=65534', '--clear-groups', '--', join(copy, 'bin/keelson')]
    const { code, stdout, stderr } = await cluster.network.run('setpriv', [
      ...words,
      ...command,
      ...cluster.flags,
    ])
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, expected)
  }
  t.deepEqual(differences(before, await findTraces(cluster)), [])
  t.false(existsSync(cluster.dataDirectory))
})

stackTest('a second node process in the same place is refused', async (t) => {
  await using cluster = await IsolatedCluster.create('twice')
  await cluster.up()
  const before = await cluster.processes()
  for (const name of ['server', 'node']) {
    const { code, stderr } = await cluster.keelson(name)
    t.is(code, 1)
    t.regex(stderr, new RegExp(`keelson: keelson ${name} already runs here as process \\d+\\n  stop it with`))
  }
  t.deepEqual(await cluster.processes(), before)
})
