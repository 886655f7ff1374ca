/**
 * Containers where cgroup v2 is all there is, told as JSON on standard output: run by cgroup-v2.test.ts in a mount
 * namespace in which only the unified hierarchy can be seen, and on any other host that has nothing else.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reapInit, startInit } from '../../src/kernel/index.ts'
import { compileDeviceProgram } from '../../src/oci/cgroup/device-program.ts'
import { type CreateRequest, type DeviceRule, readCgroupLayout, type Spec } from '../../src/oci/index.ts'
import { encodePlan } from '../../src/oci/plan/index.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'

await using stage = await containerStage('v2')
const layout = readCgroupLayout()
const root = layout.v2?.mountPoint ?? ''
const cgroupOf = (pid: number) => /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1]
const sleeper = { args: ['sleep', '100'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }
/** /dev/fuse, which no container has unless its rules say so. */
const fuse = { type: 'c', major: 10, minor: 229 } as const

function request(id: string, args: string[], change: (spec: Spec) => void = () => {}): CreateRequest {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  const life = { kind: 'monitored', logPath: stage.logPath(id) } as const
  return { id, spec: plainSpec(args, change), bundle: '/', rootfs, life }
}

async function life() {
  const container = await stage.runtime.create(request('v2', ['sleep', '100']))
  await container.start()
  const { pid } = await container.state()
  const execution = await container.exec({ process: sleeper, stdio: 'pipe' })
  const init = cgroupOf(pid)
  const placed = { init, exec: cgroupOf(execution.pid), pids: (await container.pids()).length }
  await container.pause()
  const paused = (await container.state()).status
  const frozen = /^frozen 1$/m.test(readFileSync(join(root, init ?? '', 'cgroup.events'), 'utf8'))
  await container.resume()
  writeFileSync(join(root, init ?? '', 'cgroup.freeze'), '1')
  const frozenFromOutside = (await container.state()).status
  await container.kill('KILL', { all: true }) // a frozen v2 group dies all the same
  const { exitCode } = await container.wait()
  const executed = await execution.wait()
  await container.delete()
  return { ...placed, paused, frozen, frozenFromOutside, exitCode, executed }
}

/** A first process that moved to a group of its own making: nobody may join the one above, so an exec follows it. */
async function movedInit() {
  const script =
    'mkdir /sys/fs/cgroup/in; echo 1 >/sys/fs/cgroup/in/cgroup.procs; echo +hugetlb >/sys/fs/cgroup/cgroup.subtree_control; echo up; exec sleep 100'
  const container = await stage.runtime.create(
    request('moved', ['sh', '-c', script], (spec) => {
      const mount = spec.mounts?.find(({ type }) => type === 'cgroup')
      if (mount) mount.options = ['nosuid', 'noexec', 'nodev']
    }),
  )
  await container.start()
  const { pid } = await container.state()
  await eventually(
    'it has moved',
    () => readFileSync(stage.logPath('moved'), 'utf8').includes('up') || undefined,
  )
  const leaf = join(root, cgroupOf(pid) ?? '', '..')
  const passedOn = readFileSync(join(leaf, 'cgroup.subtree_control'), 'utf8').trim()
  const execution = await container.exec({ process: sleeper, stdio: 'pipe' })
  const same = cgroupOf(execution.pid) === cgroupOf(pid)
  const refused = await container.exec({ process: sleeper, stdio: 'pipe', cgroup: ['/'] }).then(
    () => 'joined',
    (error) => error.errno,
  )
  await container.delete({ force: true })
  return { passedOn, same, refused }
}

/** Exit codes of `open /dev/fuse` where the rules forbid and where they allow it, and of an exec there. */
async function devices() {
  const opened = async (allow: boolean) => {
    const rules: DeviceRule[] = [{ allow: false }, { ...fuse, allow, access: 'rw' }]
    const id = `fuse-${allow}`
    const container = await stage.runtime.create(
      request(id, ['sleep', '100'], ({ linux }) => {
        Object.assign(linux ?? {}, { devices: [{ path: '/dev/fuse', ...fuse }] })
        Object.assign(linux?.resources ?? {}, { devices: rules })
      }),
    )
    await container.start()
    const open = { ...sleeper, args: ['sh', '-c', 'exec 3<>/dev/fuse'] }
    const { exitCode } = await (await container.exec({ process: open, stdio: 'pipe' })).wait()
    const none = { ...sleeper, args: ['sh', '-c', 'exec 3<>/dev/null'] }
    const always = await (await container.exec({ process: none, stdio: 'pipe' })).wait()
    await container.delete({ force: true })
    return { opened: exitCode === 0, null: always.exitCode === 0 }
  }
  return { denied: await opened(false), allowed: await opened(true) }
}

/** A second program of the same cgroup takes the place of the first: beside it, the first one's no would count. */
async function replacedProgram() {
  const path = join(root, `kt-v2-devices-${process.pid}`)
  mkdirSync(path)
  try {
    const attach = async (rules: DeviceRule[]) => {
      const program = compileDeviceProgram(rules) ?? new Uint8Array()
      const plan = {
        parent: [{ op: 'attachDevices', path, program, flags: 0 }, { op: 'leave' }],
        child: [],
      } as const
      const started = await startInit({ plan: encodePlan(plan), inherited: [] })
      await reapInit(started)
      return started.type
    }
    const open = () =>
      spawnSync('sh', ['-c', `echo 0 > ${path}/cgroup.procs && exec 3<>/dev/fuse`]).status === 0
    const first = [await attach([{ allow: false }]), open()]
    const second = [await attach([{ allow: false }, { ...fuse, allow: true }]), open()]
    return { first, second }
  } finally {
    rmdirSync(path)
  }
}

/** A group with a process in it is nobody's to create in. */
async function usedPath() {
  const path = `/kt-v2-used-${process.pid}`
  mkdirSync(join(root, path))
  const other = await stage.runtime.create(
    request('first', ['sleep', '100'], ({ linux }) => Object.assign(linux ?? {}, { cgroupsPath: path })),
  )
  try {
    await stage.runtime.create(
      request('second', ['sleep', '100'], ({ linux }) => Object.assign(linux ?? {}, { cgroupsPath: path })),
    )
    return 'created'
  } catch (error) {
    const alive = (await other.state()).status
    return `${(error as Error).message.replace(/\d+/g, 'N')}; the other is ${alive}`
  } finally {
    await other.delete({ force: true })
  }
}

console.log(
  JSON.stringify({
    mode: layout.mode,
    instance: stage.instance,
    ...(await life()),
    moved: await movedInit(),
    devices: await devices(),
    replaced: await replacedProgram(),
    used: await usedPath(),
  }),
)
