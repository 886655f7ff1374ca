/**
 * `oci`: our runtime beside crun and runc, same bundle, same limits, same filter.
 *
 * In-process rows run in this warm process and include the durable record, the log and the exit record; command rows
 * are started by a small driver. Peers run in a mount namespace that hides `unified`, which crun 1.8 needs.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '../src/base/index.ts'
import { version } from '../src/cli/version.ts'
import { createRuntime, type Runtime } from '../src/oci/index.ts'
import { hasBusybox } from '../test/support/bundle.ts'
import { makeBusyboxRoot } from '../test/support/container.ts'
import { runBench } from './frame/bench.ts'
import { benchCgroup } from './frame/cpu.ts'
import { type Driver, startDriver } from './frame/driver.ts'
import { peerVersion } from './frame/peers.ts'
import { realisticSpec } from './frame/realistic-spec.ts'
import type { BenchOptions, Row } from './frame/row.ts'
import { laterRows, lifecycleRow, type Program, startCompileService } from './oci/command-line.ts'
import { monitorRows } from './oci/monitor-memory.ts'
import { parallelRow } from './oci/parallel.ts'
import { nextId } from './oci/stage.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const work = mkdtempSync(join(tmpdir(), 'keelson-bench-oci-'))
const rootfs = join(work, 'rootfs')
/** State lies on a tmpfs, as /run is where a runtime belongs; on ext4 a rename alone may cost milliseconds. */
const states = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'keelson-bench-oci-'))
const cgroupsPath = (name: string) => `${benchCgroup}/${name}`

const drivers: Driver[] = []
const finish: (() => Promise<void>)[] = []

await runBench({
  name: 'oci',
  about: [
    'bundle: busybox true on a plain directory; RuntimeDefault filter, 64 MiB, half a CPU, 256 pids, no_new_privs',
    'oci-create-exit: create to exit (peers: `run`, which also deletes); oci-create-delete: the same with our delete',
    'oci-cli-*: commands; -lifecycle with no keelson process alive, the others with one that decides creates',
  ],
  rounds: 60,
  peers: ['crun', 'runc'],
  rows,
  async finish() {
    for (const step of finish.reverse()) await step().catch((error: unknown) => console.error(error))
    for (const driver of drivers) await driver[Symbol.asyncDispose]()
    for (const folder of [work, states]) rmSync(folder, { recursive: true, force: true })
  },
})

async function rows({ notice }: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the oci bench needs root')
  if (!hasBusybox) throw new Error('the oci bench needs busybox-static')
  makeBusyboxRoot(rootfs)
  const runtime = createRuntime({
    stateRoot: join(states, 'keelson'),
    instance: benchCgroup.slice(1),
    clock: systemClock,
    log: silentLogger,
  })
  finish.push(() => runtime[Symbol.asyncDispose]()) // its zygote is in the bench's cgroup
  const own = `keelson ${version}`
  const front = join(root, 'bin/keelson-oci')
  const service = join(work, 'service')
  const compiling = await startCompileService(front, service)
  finish.push(async () => compiling[Symbol.asyncDispose]())
  const alone = await driver(false, { KEELSON_OCI_SERVICE: '' })
  const alive = await driver(false, { KEELSON_OCI_SERVICE: service })
  const hidden = await driver(true)
  const peers = ['crun', 'runc'].flatMap((program) => {
    const version = peerVersion(program)
    if (version === undefined) notice(`${program} is not installed`)
    return version === undefined ? [] : [{ program, version }]
  })
  return [
    ...[true, false].flatMap((seccomp) => [
      createExit(runtime, own, seccomp),
      ...(seccomp ? [createExit(runtime, own, seccomp, true)] : []),
      ...peers.flatMap((peer) => [
        peerRun(hidden, peer, seccomp, 'oci-create-exit'),
        ...(seccomp ? [peerRun(hidden, peer, seccomp, 'oci-create-delete')] : []),
      ]),
    ]),
    ...inProcess(runtime, own),
    await inProcessExec(runtime, own),
    ...(await Promise.all(peers.map((peer) => peerExec(hidden, peer)))),
    lifecycleRow('oci-cli-lifecycle', commandLine(alone, { program: 'keelson', version: own, path: front })),
    ...peers.map((peer) => lifecycleRow('oci-cli-lifecycle', commandLine(hidden, peer))),
    ...[
      commandLine(alive, { program: 'keelson', version: own, path: front }),
      ...peers.map((peer) => commandLine(hidden, peer)),
    ].flatMap((one) => [lifecycleRow('oci-cli-lifecycle-alive', one), ...laterRows(one)]),
  ]
}

function commandLine(
  driver: Driver,
  { program, version, path = program }: Peer & { path?: string },
): Program {
  return {
    variant: program,
    version,
    command: [path, ...stateRoot(`${program}-cli`)],
    driver,
    bundle: (name, args) => writeBundle(name, args, true),
    pidFile: join(work, `${program}.pid`),
  }
}

function inProcess(runtime: Runtime, version: string): Row[] {
  const stage = { runtime, work, version, cgroup: benchCgroup }
  return [parallelRow(stage), ...monitorRows(stage, join(states, 'keelson'))]
}

function createExit(runtime: Runtime, version: string, seccomp: boolean, withDelete = false): Row {
  const logs = join(work, 'logs')
  mkdirSync(logs, { recursive: true })
  const remove = async (id: string) => {
    await (await runtime.get(id)).delete({ force: true })
    rmSync(join(logs, id), { force: true })
  }
  let id = ''
  return {
    id: withDelete ? 'oci-create-delete' : rowId('oci-create-exit', seccomp),
    variant: 'keelson',
    version,
    async run() {
      id = nextId()
      const container = await runtime.create({
        id,
        bundle: work,
        spec: realisticSpec({ args: ['/bin/true'], cgroupsPath: cgroupsPath(id), seccomp }),
        life: { kind: 'monitored', logPath: join(logs, id) },
      })
      await container.start()
      const { exitCode } = await container.wait()
      if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`)
      if (withDelete) await remove(id)
    },
    after: async () => (withDelete ? undefined : remove(id)),
  }
}

interface Peer {
  program: string
  version: string
}

function peerRun(driver: Driver, { program, version }: Peer, seccomp: boolean, id: string): Row {
  const bundle = writeBundle(`${program}-run-${seccomp}-${id}`, ['/bin/true'], seccomp)
  return {
    id: rowId(id, seccomp),
    variant: program,
    version,
    run: async () =>
      (await driver.run([program, ...stateRoot(program), 'run', '--bundle', bundle, nextId()])).wallMs,
  }
}

async function inProcessExec(runtime: Runtime, version: string): Promise<Row> {
  const id = nextId()
  const spec = realisticSpec({ args: ['/bin/sleep', '100000'], cgroupsPath: cgroupsPath(id), seccomp: true })
  const container = await runtime.create({ id, bundle: work, spec, life: { kind: 'monitored' } })
  finish.push(() => container.delete({ force: true }))
  await container.start()
  return {
    id: 'oci-exec',
    variant: 'keelson',
    version,
    async run() {
      const process = { cwd: '/', ...spec.process, args: ['/bin/true'] }
      const { exitCode } = await (await container.exec({ process, stdio: 'pipe' })).wait()
      if (exitCode !== 0) throw new Error(`exec ended with ${exitCode}`)
    },
  }
}

async function peerExec(driver: Driver, { program, version }: Peer): Promise<Row> {
  const bundle = writeBundle(`${program}-exec`, ['/bin/sleep', '100000'], true)
  const id = nextId()
  const command = [program, ...stateRoot(program)]
  await driver.run([...command, 'run', '--detach', '--bundle', bundle, id])
  finish.push(async () => {
    await driver.run([...command, 'delete', '--force', id])
  })
  return {
    id: 'oci-exec',
    variant: program,
    version,
    run: async () => (await driver.run([...command, 'exec', id, '/bin/true'])).wallMs,
  }
}

/** Peers take no cgroup path of their own choice, so each bundle has its own; one container uses it at a time. */
function writeBundle(name: string, args: string[], seccomp: boolean): string {
  const bundle = join(work, name)
  mkdirSync(bundle)
  const spec = realisticSpec({ args, cgroupsPath: cgroupsPath(name), seccomp })
  writeFileSync(
    join(bundle, 'config.json'),
    JSON.stringify({ ...spec, root: { ...spec.root, path: rootfs } }),
  )
  return bundle
}

function stateRoot(program: string): string[] {
  return ['--root', join(states, program)]
}

function rowId(id: string, seccomp: boolean): string {
  return seccomp ? id : `${id}-noseccomp`
}

async function driver(hideUnified: boolean, env = {}): Promise<Driver> {
  const one = await startDriver({ hideUnified, env })
  drivers.push(one)
  return one
}
