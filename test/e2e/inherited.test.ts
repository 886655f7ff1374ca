/**
 * What a container could have of those who made it: of the command line's caller, of keelson-init, of the zygote that
 * made others before (native/init/zygote.c), and of the monitor. And what a monitor could know of other containers.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Spec } from '../../src/oci/index.ts'
import { busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { createRequest, execContained, idleContainer, runContained } from '../support/contained.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms } from '../support/oci-programs.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'

const busyboxTest = skipWithout('busybox-static', hasBusybox, rootTest)

const parentOf = (pid: number) =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

/** What is open in a program that nothing else was before: no shell, whose own pipes come and go. */
const listDescriptors = ['/bin/ls', '-l', '/proc/self/fd']

/** Number and target, without the directory that `ls` itself reads. Node's pipes are sockets. */
function kinds(lines: readonly string[]): string[] {
  const links = lines.flatMap((line) => / (\d+ -> .*)$/.exec(line)?.[1] ?? [])
  return links
    .map((link) => link.replace(' -> ', ' ').replace(/(socket|pipe):\[\d+\]/, 'pipe'))
    .filter((link) => !link.includes(' /proc/'))
}

const stdioOnly = ['0 /dev/null', '1 pipe', '2 pipe']

/** What a process was given, of all that the kernel tells; what changes by the moment is left out. */
const tellSelf = [
  "grep -vE '^(Pid|NSpid|NStgid|NSpgid|NSsid|Tgid|PPid|SigQ|Vm|Rss|HugetlbPages|FDSize|.*ctxt|x86_Thread|Ngid)' /proc/self/status",
  'cat /proc/self/limits /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/loginuid',
  'cat /proc/self/personality /proc/self/timerslack_ns 2>/dev/null',
  'cut -d" " -f7,8,18,19,40,41 /proc/self/stat', // terminal, priority, nice, real-time priority, policy
  'stat -c "dumpable %u:%g" /proc/self/fd',
  'cat /proc/self/cgroup | cut -d: -f2-',
  'env | sort',
  'umask',
]

const script = (...lines: string[]) => ['sh', '-c', lines.join('\n')]

/** The same container, made by a keelson-init that is started for it alone. */
async function runWithoutZygote(stage: ContainerStage, spec: Spec): Promise<string[]> {
  const path = join(stage.folder, 'said')
  const fd = openSync(path, 'w')
  try {
    const life = { kind: 'foreground', stdio: [0, fd, fd] } as const
    const container = await stage.runtime.create({ ...createRequest(stage, 'alone', spec), life })
    await container.start()
    await container.wait()
    await container.delete()
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  } finally {
    closeSync(fd)
  }
}

rootTest('nothing of the host or of the zygote is open in a container or in an exec', async (t) => {
  await using stage = await containerStage('open')
  const leaked = openSync('/etc', 'r')
  try {
    for (const id of ['first', 'second']) {
      const { lines } = await runContained(stage, id, plainSpec(listDescriptors))
      t.deepEqual(kinds(lines), stdioOnly)
    }
    await using container = await idleContainer(stage, 'box', plainSpec(['sleep', '1000']))
    const process = { cwd: '/', env: ['PATH=/bin'], args: listDescriptors }
    const { lines } = await execContained(container, process)
    t.deepEqual(kinds(lines), stdioOnly)
  } finally {
    closeSync(leaked)
  }
})

busyboxTest(
  'of a caller with a hundred open descriptors a container and an exec get those that were asked for',
  async (t) => {
    await using programs = await ociPrograms()
    using bundle = makeBundle(busyboxSpec(listDescriptors))
    using idle = makeBundle(busyboxSpec(['/bin/sleep', '1000']))
    const { path, stateRoot } = programs.keelson
    const id = `kt-caller-${process.pid}`
    // Descriptors from 3 on that stay open over an exec, among them a directory of the host.
    const stdio = [
      'ignore',
      'pipe',
      'pipe',
      ...Array.from({ length: 100 }, () => openSync('/etc', 'r')),
    ] as const
    const call = async (...args: string[]) => {
      const child = spawn(path, ['--root', stateRoot, ...args], { stdio: [...stdio] })
      const closed = once(child, 'close')
      const [out, err] = await Promise.all([child.stdout, child.stderr].map((one) => (one ? text(one) : '')))
      await closed
      t.notRegex(err ?? '', /keelson/) // ls says that its own directory is closed by then
      return kinds((out ?? '').trim().split('\n'))
    }
    t.deepEqual(await call('run', '--bundle', bundle.path, id), stdioOnly)
    t.deepEqual(await call('run', '--preserve-fds', '2', '--bundle', bundle.path, id), [
      ...stdioOnly,
      '3 /etc',
      '4 /etc',
    ])
    const detached = spawn(path, ['--root', stateRoot, 'run', '--detach', '--bundle', idle.path, id], {
      stdio: ['ignore', 'ignore', 'ignore', ...stdio.slice(3)],
    })
    await once(detached, 'exit')
    try {
      t.deepEqual(await call('exec', id, ...listDescriptors), stdioOnly)
      const state = JSON.parse((await programs.keelson.run(['state', id])).stdout) as { pid: number }
      const open = readdirSync(`/proc/${state.pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${state.pid}/fd/${fd}`),
      )
      t.deepEqual(new Set(open), new Set(['/dev/null']))
    } finally {
      for (const fd of stdio.slice(3)) closeSync(Number(fd))
      await programs.keelson.run(['delete', '--force', id])
    }
  },
)

rootTest(
  'what the zygote was is no matter: its second container is as its first, and as one without a zygote',
  async (t) => {
    await using stage = await containerStage('same')
    const spec = plainSpec(script(...tellSelf))
    const first = await runContained(stage, 'first', spec)
    const second = await runContained(stage, 'second', spec)
    t.deepEqual(second.lines, first.lines)
    t.deepEqual(await runWithoutZygote(stage, spec), first.lines)
    // Signals, privileges and keys are those of a process that nobody was before.
    for (const line of ['SigBlk:', 'SigIgn:', 'SigCgt:', 'SigPnd:'])
      t.true(first.lines.includes(`${line}\t0000000000000000`), line)
    t.true(first.lines.includes('dumpable 0:0'))
    t.deepEqual(
      first.lines.filter((line) => /^[A-Z_]+=/.test(line)),
      ['HOME=/root', 'PATH=/bin', 'PWD=/', 'SHLVL=1', 'TERM=xterm'],
    )
  },
)

rootTest(
  'what this process is while a container is made comes through where it is asked for, and nowhere else',
  async (t) => {
    await using stage = await containerStage('starter')
    const spec = plainSpec(script(...tellSelf))
    const before = await runContained(stage, 'before', spec)
    const umask = process.umask(0o7)
    process.env['KEELSON_SECRET_OF_THE_STARTER'] = 'secret'
    const ignore = () => undefined
    process.on('SIGUSR2', ignore)
    try {
      t.deepEqual((await runContained(stage, 'after', spec)).lines, before.lines)
    } finally {
      process.umask(umask)
      process.off('SIGUSR2', ignore)
      delete process.env['KEELSON_SECRET_OF_THE_STARTER']
    }
  },
)

/** Whether any readable part of a process's memory holds the text. */
function memoryHolds(pid: number, wanted: string): boolean {
  const needle = Buffer.from(wanted)
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .filter((line) => /^[0-9a-f]+-[0-9a-f]+ r/.test(line) && !/\[v(var|dso|syscall)/.test(line))
      .some((line) => {
        const [from = 0, to = 0] = (line.split(' ')[0] ?? '')
          .split('-')
          .map((one) => Number.parseInt(one, 16))
        const bytes = Buffer.alloc(to - from)
        let length = 0
        try {
          length = readSync(memory, bytes, 0, bytes.length, from)
        } catch {
          return false // a guard page, or of the stack what was never touched
        }
        return bytes.subarray(0, length).includes(needle)
      })
  } finally {
    closeSync(memory)
  }
}

rootTest(
  'no monitor and no zygote remembers an environment, neither another container’s nor its own',
  async (t) => {
    await using stage = await containerStage('secret')
    const secret = (name: string) => `secret-of-${name}-${process.pid}`
    const withSecret = (name: string) =>
      plainSpec(['sleep', '1000'], ({ process }) => process.env?.push(`PASSWORD=${secret(name)}`))
    await using one = await idleContainer(stage, 'one', withSecret('one'))
    await using two = await idleContainer(stage, 'two', withSecret('two'))
    const pids = await Promise.all([one, two].map(async (container) => (await container.state()).pid))
    t.true(memoryHolds(pids[0] ?? 0, secret('one')), 'the search finds what is there')
    const monitors = pids.map(parentOf)
    const zygote = parentOf(monitors[0] ?? 0)
    t.is(parentOf(monitors[1] ?? 0), zygote)
    for (const pid of [...monitors, zygote]) {
      for (const name of ['one', 'two']) t.false(memoryHolds(pid, secret(name)), `${name} in ${pid}`)
      t.is(readFileSync(`/proc/${pid}/environ`, 'utf8'), '')
    }
    t.false(memoryHolds(pids[1] ?? 0, secret('one')), 'nor does the other container')
  },
)

rootTest('the zygote keeps nothing of the containers that it made', async (t) => {
  await using stage = await containerStage('kept')
  const run = (id: string) => runContained(stage, id, plainSpec(['true']))
  await using box = await idleContainer(stage, 'box', plainSpec(['sleep', '1000']))
  const zygote = parentOf(parentOf((await box.state()).pid))
  const held = () =>
    readdirSync(`/proc/${zygote}/fd`).map((fd) => readlinkSync(`/proc/${zygote}/fd/${fd}`).replace(/\d+/, ''))
  const before = held()
  const mapped = () => readFileSync(`/proc/${zygote}/maps`, 'utf8')
  const maps = mapped()
  for (let i = 0; i < 20; i++) await run(`many${i}`)
  await eventually('its descriptors are the same', () => held().join() === before.join())
  t.deepEqual(before, ['/dev/null', '/dev/null', '/dev/null', 'socket:[]'])
  t.is(mapped(), maps)
  t.true(before.every((one) => !one.includes(stage.folder)))
})
