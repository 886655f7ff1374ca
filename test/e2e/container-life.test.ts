import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { hasCode, systemClock } from '../../src/base/index.ts'
import { type CreateRequest, planCgroup, readCgroupLayout, type Spec } from '../../src/oci/index.ts'
import { type ContainerStage, containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'
import { rootTest } from '../support/root.ts'

function request(stage: ContainerStage, id: string, spec: Spec): CreateRequest {
  const rootfs = { kind: 'directory', path: stage.rootfs } as const
  return { id, spec, bundle: '/', rootfs, life: { kind: 'monitored', logPath: stage.logPath(id) } }
}

async function output(
  stage: ContainerStage,
  id: string,
  spec: Spec,
): Promise<{ lines: string[]; exitCode: number }> {
  const container = await stage.runtime.create(request(stage, id, spec))
  await container.start()
  const { exitCode } = await container.wait()
  await container.delete()
  const log = readFileSync(stage.logPath(id), 'utf8')
  return {
    lines: log
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' ').slice(3).join(' ')),
    exitCode,
  }
}

rootTest('created → running → stopped, with the exit code, and nothing left after delete', async (t) => {
  await using stage = await containerStage('life')
  const container = await stage.runtime.create(request(stage, 'one', plainSpec(['sh', '-c', 'exit 3'])))
  t.is((await container.state()).status, 'created')
  await t.throwsAsync(stage.runtime.create(request(stage, 'one', plainSpec(['true']))), {
    message: /exists already/,
  })
  await container.start()
  const exit = await container.wait()
  t.is(exit.exitCode, 3)
  t.is(exit.signal, undefined)
  const stopped = await container.state()
  t.is(stopped.status, 'stopped')
  t.is(stopped.pid, 0)
  t.deepEqual(stopped.exit, exit)
  await t.throwsAsync(container.start(), { message: /cannot start container one: it is stopped/ })
  await t.throwsAsync(container.kill('TERM'), { message: /it is stopped/ })
  await container.delete()
  t.is(await stage.runtime.find('one'), undefined)
  for (const leaf of planCgroup({ layout: readCgroupLayout(), path: `/${stage.instance}/one` }).leaves)
    t.false(existsSync(leaf), leaf)
})

rootTest(
  'the container sees only itself: namespaces, descriptors, cgroup root, signals, identity',
  async (t) => {
    await using stage = await containerStage('view')
    const script = [
      'seen=$(ps); echo "$seen" | wc -l',
      'hostname',
      'ls /proc/self/fd | wc -l',
      'cat /proc/self/cgroup | grep -v ":/$" | wc -l',
      'grep -c . /proc/net/dev',
      'grep -E "^(SigBlk|SigIgn|NoNewPrivs|Umask|CapEff|Groups)" /proc/self/status | tr "\\t" " "',
      'stat -c "%t:%T" /dev/null',
      'grep -c "^proc /proc/sys proc ro" /proc/mounts; ls /sys/firmware | wc -l',
      'echo $HOME; pwd; id -u; id -g',
    ].join(';')
    const spec = plainSpec(['sh', '-c', script], ({ process, linux }) => {
      process.user = { uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o27 }
      process.cwd = '/made/here'
      process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }]
      linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['kexec_load'], action: 'SCMP_ACT_ERRNO' }],
      }
    })
    const { lines, exitCode } = await output(stage, 'view', spec)
    t.is(exitCode, 0)
    t.is(lines[0], '3') // header, sh, ps
    t.is(lines[1], 'box')
    t.is(lines[2], '4') // 0, 1, 2 and the one that ls reads with
    t.is(lines[3], '0')
    t.is(lines[4], '3') // two header lines and lo
    t.true(lines.includes('Umask: 0027'))
    t.true(lines.includes('Groups: 7 8 '))
    t.true(lines.includes('SigBlk: 0000000000000000'))
    t.true(lines.includes('SigIgn: 0000000000000000'))
    t.true(lines.includes('CapEff: 0000000000000000'))
    t.true(lines.includes('NoNewPrivs: 1'))
    t.true(lines.includes('1:3'))
    t.deepEqual(lines.slice(-6, -3), ['1', '0', '/'])
    t.deepEqual(lines.slice(-3), ['/made/here', '1000', '1001'])
  },
)

rootTest('the log is CRI format: time, stream, whole lines F, long and unfinished ones P', async (t) => {
  await using stage = await containerStage('log')
  const script = 'echo out; echo err >&2; head -c 40000 /dev/zero | tr "\\0" x; echo; printf end'
  const container = await stage.runtime.create(request(stage, 'log', plainSpec(['sh', '-c', script])))
  const before = Date.now()
  await container.start()
  await container.wait()
  const lines = readFileSync(stage.logPath('log'), 'utf8').split('\n').slice(0, -1)
  const parsed = lines.map((line) => /^(\S+) (stdout|stderr) ([FP]) (.*)$/.exec(line)?.slice(1) ?? [line])
  for (const [time = ''] of parsed) {
    t.regex(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
    t.true(Math.abs(Date.parse(time) - before) < 60_000)
  }
  t.deepEqual(
    parsed.filter(([, stream]) => stream === 'stderr').map(([, , tag, text]) => [tag, text]),
    [['F', 'err']],
  )
  const out = parsed.filter(([, stream]) => stream === 'stdout')
  t.deepEqual(out[0]?.slice(2), ['F', 'out'])
  t.deepEqual(
    out.slice(1, -1).map(([, , tag, text = '']) => [tag, text.length]),
    [
      ['P', 16384],
      ['P', 16384],
      ['F', 40000 - 2 * 16384],
    ],
  )
  t.deepEqual(out.at(-1)?.slice(2), ['P', 'end'])
})

rootTest('attach, resize and reopenLog reach the monitor; stdin ends with it', async (t) => {
  await using stage = await containerStage('attach')
  const life = { kind: 'monitored', stdin: true, stdinOnce: true, logPath: stage.logPath('cat') } as const
  const container = await stage.runtime.create({ ...request(stage, 'cat', plainSpec(['cat'])), life })
  const attachment = await container.attach()
  await container.start()
  attachment.stdin?.write('over and out\n')
  const [chunk] = await once(attachment.stdout, 'data')
  t.is(String(chunk), 'over and out\n')
  renameSync(stage.logPath('cat'), `${stage.logPath('cat')}.1`)
  await container.reopenLog()
  t.true(existsSync(stage.logPath('cat')))
  await t.throwsAsync(container.resize({ columns: 80, rows: 24 }), { message: /ENOTTY/ })
  await attachment[Symbol.asyncDispose]()
  t.is((await container.wait()).exitCode, 0)
})

rootTest('a FIFO or a device in the place of a log is refused at once, and the log goes on', async (t) => {
  await using stage = await containerStage('log-fifo')
  const log = stage.logPath('cat')
  const life = { kind: 'monitored', stdin: true, logPath: log } as const
  const make = () => stage.runtime.create({ ...request(stage, 'cat', plainSpec(['cat'])), life })
  const unread = () => execFileSync('mknod', [log, 'p'])
  const read = () => {
    unread()
    return openSync(log, constants.O_RDONLY | constants.O_NONBLOCK)
  }
  const device = () => execFileSync('mknod', [log, 'c', '1', '3'])
  for (const put of [unread, read, device]) {
    const reader = put()
    await t.throwsAsync(make(), { message: /log: not a regular file/ })
    if (typeof reader === 'number') closeSync(reader)
    rmSync(log)
  }
  const container = await make()
  const attachment = await container.attach()
  await container.start()
  renameSync(log, `${log}.1`)
  for (const put of [unread, read, device]) {
    const reader = put()
    await t.throwsAsync(container.reopenLog(), { message: /EINVAL/ })
    if (typeof reader === 'number') closeSync(reader)
    rmSync(log)
  }
  attachment.stdin?.write('goes on\n')
  await eventually('the old file has it', () => readFileSync(`${log}.1`, 'utf8').includes('goes on'))
  await container.reopenLog()
  attachment.stdin?.write('anew\n')
  await eventually('the new file has it', () => readFileSync(log, 'utf8').includes('anew'))
  await attachment[Symbol.asyncDispose]()
  await container.delete({ force: true })
})

rootTest('the overlay is mounted inside only, by both rungs of the ladder', async (t) => {
  await using stage = await containerStage('overlay')
  for (const volatile of [false, true]) {
    // A name beyond 255 bytes does not fit the upper rung's strings.
    const deep = volatile ? 'x'.repeat(200) : 'x'
    const layers = ['top', 'middle'].map((name) => join(stage.folder, deep, deep, name))
    for (const layer of layers) mkdirSync(join(layer, 'mark'), { recursive: true })
    const [upper, work] = ['upper', 'work'].map((name) => join(stage.folder, `${name}-${volatile}`))
    if (!upper || !work) continue
    mkdirSync(upper)
    mkdirSync(work)
    const rootfs = { kind: 'overlay', lower: [...layers, stage.rootfs], upper, work, volatile } as const
    const script = 'echo new > /file; ls -d /mark; head -1 /proc/self/mountinfo'
    const spec = plainSpec(['sh', '-c', script])
    const container = await stage.runtime.create({ ...request(stage, 'over', spec), rootfs })
    await container.start()
    t.is((await container.wait()).exitCode, 0)
    await container.delete()
    t.is(readFileSync(join(upper, 'file'), 'utf8'), 'new\n')
    t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(upper))
  }
})

rootTest('a failed create names step, call and path, and leaves nothing', async (t) => {
  await using stage = await containerStage('fail')
  const cases: [RegExp, Spec][] = [
    [/^exec: "nope": executable file not found in \$PATH$/, plainSpec(['nope'])],
    [/^exec: "\/etc\/passwd": permission denied$/, plainSpec(['/etc/passwd'])],
    [
      /^create: mountBind: open_tree \/does\/not\/exist: ENOENT$/,
      plainSpec(['true'], (spec) =>
        spec.mounts?.push({ destination: '/x', source: '/does/not/exist', options: ['bind'] }),
      ),
    ],
    [
      /^create: enterDirectory: /,
      plainSpec(['true'], ({ process }) => {
        process.cwd = '/proc/self/fd/5'
      }),
    ],
  ]
  for (const [message, spec] of cases) {
    await t.throwsAsync(stage.runtime.create(request(stage, 'bad', spec)), { message })
    t.is(await stage.runtime.find('bad'), undefined)
    t.false(existsSync(join(stage.folder, 'state/bad')))
  }
})

rootTest("detached: no process of ours stays, the descriptors are the caller's", async (t) => {
  await using stage = await containerStage('detach')
  const file = join(stage.folder, 'out')
  const fd = openSync(file, 'w')
  const life = { kind: 'detached', stdio: [0, fd, fd] } as const
  const spec = plainSpec(['sh', '-c', 'echo here; sleep 100'])
  const container = await stage.runtime.create({ ...request(stage, 'gone', spec), life })
  closeSync(fd)
  await container.start()
  const { pid } = await container.state()
  const parent = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  t.not(readFileSync(`/proc/${parent}/comm`, 'utf8').trim(), 'keelson-init')
  while (readFileSync(file, 'utf8') === '') await systemClock.sleep(5)
  t.is(readFileSync(file, 'utf8'), 'here\n')
  await t.throwsAsync(container.delete(), { message: /cannot delete container gone: it is running/ })
  await container.delete({ force: true })
  t.false(existsSync(`/proc/${pid}/root/bin`))
})

rootTest('kill -9 of the creating process: the monitor lives on and tells a new one the exit', async (t) => {
  await using stage = await containerStage('orphan')
  await crash(stage, 'survivor', 'after-start')
  const container = await stage.runtime.get('survivor')
  t.is((await container.state()).status, 'running')
  const execution = await container.exec({
    process: plainSpec(['sh', '-c', 'exit 9']).process ?? { cwd: '/' },
    stdio: 'pipe',
  })
  t.is((await execution.wait()).exitCode, 9)
  await container.kill('KILL')
  t.is((await container.wait()).exitCode, 137)
  await container.delete()
})

rootTest('kill -9 in the middle of a create: delete --force takes away what there is', async (t) => {
  await using stage = await containerStage('halfway')
  for (const moment of [0, 2, 5, 8, 12]) {
    await crash(stage, 'half', String(moment))
    const container = await stage.runtime.find('half')
    await container?.delete({ force: true })
    t.is(await stage.runtime.find('half'), undefined)
  }
})

rootTest('a lost monitor ends its container: 137, MonitorLost', async (t) => {
  await using stage = await containerStage('lost')
  const container = await stage.runtime.create(request(stage, 'lost', plainSpec(['sleep', '100'])))
  await container.start()
  const { pid } = await container.state()
  const monitor = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  t.is(readFileSync(`/proc/${monitor}/comm`, 'utf8').trim(), 'keelson-init')
  const exit = container.wait()
  await systemClock.sleep(50)
  process.kill(monitor, 'SIGKILL')
  const { exitCode, reason } = await exit
  t.deepEqual([exitCode, reason], [137, 'MonitorLost'])
  t.true(hasCode(await container.start().catch((error: unknown) => error), 'FAILED_PRECONDITION'))
})

/** Runs create (and start) in a process of its own that is killed at a moment: after that many ms, or when it runs. */
async function crash(stage: ContainerStage, id: string, moment: string): Promise<void> {
  const script = new URL('../support/create-and-hang.ts', import.meta.url).pathname
  const args = ['--import=tsx', script, stage.folder, stage.instance, stage.rootfs, id]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const wanted = moment === 'after-start' ? 'started' : 'begin'
  let text = ''
  for await (const chunk of child.stdout) {
    text += String(chunk)
    if (text.includes(wanted)) break
  }
  if (moment !== 'after-start') await systemClock.sleep(Number(moment))
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
