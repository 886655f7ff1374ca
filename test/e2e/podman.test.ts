/** keelson-oci below Debian's podman and conmon, told of it by containers.conf as the guide says, and without. */
import { readFileSync } from 'node:fs'
import test from 'ava'
import { busyboxName } from '../support/busybox-image.ts'
import { engineTests } from '../support/engine-test.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms, type Programs } from '../support/oci-programs.ts'
import type { CommandResult } from '../support/own-network.ts'
import { findPeer } from '../support/peers.ts'
import { type PodmanHost, podmanPeers, startPodmanHost } from '../support/podman-host.ts'

const { present, engineTest } = engineTests(podmanPeers)
let programs: Programs
let engine: PodmanHost
test.before(async () => {
  if (!present) return
  programs = await ociPrograms()
  engine = await startPodmanHost(programs.keelson.path)
})
test.after.always(async () => {
  await engine?.[Symbol.asyncDispose]()
  await programs?.[Symbol.asyncDispose]()
})

let counter = 0
const nextName = () => `p${counter++}`

/** Prints a growing number into a file, so that being stopped can be seen; `exit 9` when asked to end. */
const counting =
  'trap "exit 9" TERM; echo up; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.01; done'

const podman = (...args: string[]) => engine.podman(args)
const inspect = async (name: string, format: string) =>
  (await podman('inspect', '--format', format, name)).stdout.trim()

async function started(flags: readonly string[], script: string): Promise<string> {
  const name = nextName()
  const { code, stderr } = await engine.shell(['--detach', '--name', name, ...flags], script)
  if (code !== 0) throw new Error(stderr)
  return name
}

/** Types `keys`, a shell's words for bytes and pauses, into a command that has a terminal. */
function typing(keys: string, args: readonly string[]): Promise<CommandResult> {
  const words = `stty cols 101 rows 23; ${engine.commandLine(args)}`
  return engine.host.shell(`(${keys}; sleep 2) | script -qec "$WORDS" /dev/null`, { env: { WORDS: words } })
}

engineTest('run: output, input and exit code', async (t) => {
  t.deepEqual(await engine.shell(['--rm'], 'echo out; echo err >&2; exit 7'), {
    code: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  })
  t.like(await engine.shell(['--rm', '--interactive'], 'cat', { input: 'typed\n' }), {
    code: 0,
    stdout: 'typed\n',
  })
})

engineTest('the true exit code of 50 containers that end at once', async (t) => {
  const codes = Array.from({ length: 50 }, (_, index) => 1 + (index % 100))
  const seen = new Array<number>(codes.length)
  const queue = [...codes.keys()]
  const worker = async () => {
    for (let index = queue.pop(); index !== undefined; index = queue.pop())
      seen[index] = (await engine.shell(['--rm'], `exit ${codes[index]}`)).code
  }
  await Promise.all([worker(), worker(), worker()])
  t.deepEqual(seen, codes)
})

engineTest(
  'a program that is not there, or no program: podman’s own exit codes, with and without the lines',
  async (t) => {
    for (const bare of [false, true]) {
      const run = (program: string) =>
        engine.podman(['run', '--rm', ...engine.runFlags, busyboxName, program], { bare })
      const missing = await run('/no/such/program')
      t.is(missing.code, 127)
      t.regex(missing.stderr, /"\/no\/such\/program": no such file or directory/)
      const noProgram = await run('/etc/passwd')
      t.is(noProgram.code, 126)
      t.regex(noProgram.stderr, /"\/etc\/passwd": permission denied/)
    }
  },
)

engineTest(
  '--cgroups=disabled: with the lines of containers.conf; without them podman does not ask',
  async (t) => {
    const flags = ['run', '--rm', '--network=none', '--cgroups=disabled', ...engine.runFlags.slice(3)]
    const command = [busyboxName, 'grep', 'pids', '/proc/self/cgroup']
    const disabled = await engine.podman([...flags, ...command])
    t.like(disabled, { code: 0, stderr: '' })
    t.regex(disabled.stdout, /^\d+:pids:.*\n$/)
    const cgroups = readFileSync(`/proc/${engine.host.pid}/cgroup`, 'utf8')
    t.true(cgroups.includes(disabled.stdout), disabled.stdout)
    const bare = await engine.podman([...flags, ...command], { bare: true })
    t.is(bare.code, 125)
    t.regex(bare.stderr, /not compatible with NoCgroups/)
  },
)

engineTest('without containers.conf: run, exec, stop, true exit codes', async (t) => {
  const name = nextName()
  const bare = { bare: true }
  t.like(await engine.shell(['--detach', '--name', name], counting, bare), { code: 0 })
  t.like(await engine.podman(['exec', name, 'sh', '-c', 'echo in; exit 5'], bare), {
    code: 5,
    stdout: 'in\n',
  })
  t.like(await engine.podman(['stop', name], bare), { code: 0 })
  t.like(await engine.podman(['wait', name], bare), { stdout: '9\n' })
  t.like(await engine.podman(['rm', name], bare), { code: 0 })
})

engineTest('a life: logs, exec, top, stats, pause felt and seen, stop, wait, rm', async (t) => {
  const name = await started(['--env', 'A=b c'], counting)
  t.deepEqual(
    await podman(
      'exec',
      '--user',
      '33:34',
      '--workdir',
      '/tmp',
      name,
      'sh',
      '-c',
      'id -u; pwd; echo $A; exit 5',
    ),
    {
      code: 5,
      stdout: '33\n/tmp\nb c\n',
      stderr: '',
    },
  )
  t.like(await engine.podman(['exec', '--interactive', name, 'cat'], { input: 'typed' }), { stdout: 'typed' })
  t.regex((await podman('exec', name, '/no/such/program')).stderr, /no such file or directory/)
  t.like(await podman('exec', '--detach', name, 'touch', '/tmp/detached'), { code: 0 })
  await eventually('it ran', async () => (await podman('exec', name, 'ls', '/tmp/detached')).code === 0)
  t.regex((await podman('top', name)).stdout, /^root +1 +0 .*sh -c trap/m)
  const stats = JSON.parse((await podman('stats', '--no-stream', '--format', 'json', name)).stdout)[0]
  t.true(Number(stats.pids) >= 1)
  const pid = await inspect(name, '{{.State.Pid}}')
  const count = async () => (await engine.host.shell(`cat /proc/${pid}/root/tmp/n`)).stdout
  t.like(await podman('pause', name), { code: 0 })
  t.is(await inspect(name, '{{.State.Status}}'), 'paused')
  const stopped = await count()
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(await count(), stopped)
  t.like(await podman('unpause', name), { code: 0 })
  await eventually('it goes on', async () => (await count()) !== stopped)
  t.is((await podman('logs', name)).stdout, 'up\n')
  t.like(await podman('stop', name), { code: 0 })
  t.is(await inspect(name, '{{.State.ExitCode}} {{.State.Status}}'), '9 exited')
  t.like(await podman('wait', name), { stdout: '9\n' })
  t.like(await podman('rm', name), { code: 0 })
})

engineTest('kill: a signal of choice, and the end by one', async (t) => {
  const name = await started([], 'trap "echo hup" HUP; echo up; while :; do sleep 0.05; done')
  await eventually('it is up', async () => (await podman('logs', name)).stdout === 'up\n')
  t.like(await podman('kill', '--signal', 'HUP', name), { code: 0 })
  await eventually('it was told', async () => (await podman('logs', name)).stdout === 'up\nhup\n')
  t.like(await podman('kill', name), { code: 0 })
  t.like(await podman('wait', name), { stdout: '137\n' })
  await podman('rm', name)
})

engineTest(
  'limits: memory, pids, open files, changed while it runs, an end for want of memory',
  async (t) => {
    const name = await started(
      ['--memory', '32m', '--pids-limit', '3', '--ulimit', 'nofile=100:200'],
      'sleep 100',
    )
    t.is((await podman('exec', name, 'sh', '-c', 'ulimit -n; ulimit -Hn')).stdout, '100\n200\n')
    const forks = await podman('exec', name, 'sh', '-c', 'sleep 9 & sleep 9 & sleep 9 & echo all')
    t.regex(forks.stderr, /can't fork/)
    const limitFile = '/sys/fs/cgroup/memory/memory.limit_in_bytes'
    const limit = await podman('exec', name, 'cat', limitFile)
    t.is(limit.stdout, `${32 << 20}\n`)
    const updated = await podman('update', '--memory', '48m', name)
    t.is(updated.code, 0, updated.stderr)
    t.is((await podman('exec', name, 'cat', limitFile)).stdout, `${48 << 20}\n`)
    await podman('rm', '--force', '--time', '0', name)
    t.like(await engine.shell(['--rm', '--memory', '16m'], 'tail /dev/zero'), { code: 137 })
  },
)

engineTest('terminals: exec -it with size, attach and detach, an end by what was typed', async (t) => {
  const name = nextName()
  const run = [
    'run',
    '--detach',
    '--interactive',
    '--tty',
    '--name',
    name,
    ...engine.runFlags,
    busyboxName,
    'sh',
  ]
  t.like(await podman(...run), { code: 0 })
  const typed = `sleep 1; printf 'tty; stty size; exit 4\\n'`
  const exec = await typing(typed, ['exec', '--interactive', '--tty', name, 'sh'])
  t.is(exec.code, 4, exec.stdout)
  t.regex(exec.stdout, /\/dev\/pts\/\d+\r+\n23 101\r/)
  const attach = ['attach', '--detach-keys=ctrl-x', name]
  const attached = await typing(`sleep 1; printf 'echo a$((1+1))\\n'; sleep 1; printf '\\030'`, attach)
  t.regex(attached.stdout, /a2\r/)
  t.is(await inspect(name, '{{.State.Status}}'), 'running')
  await typing(`sleep 1; printf 'exit 6\\n'`, attach)
  t.is(await inspect(name, '{{.State.ExitCode}}'), '6')
  await podman('rm', name)
})

engineTest('--init, health checks, restart policy', async (t) => {
  const init = ['--rm', '--init', '--init-path', findPeer('catatonit') ?? '']
  t.like(await engine.shell(init, 'cat /proc/1/comm; exit 4'), { code: 4, stdout: 'podman-init\n' })
  const health = ['--health-cmd', 'test -f /tmp/well', '--health-interval', 'disable']
  const name = await started(health, 'sleep 100')
  t.like(await podman('healthcheck', 'run', name), { code: 1 })
  await podman('exec', name, 'touch', '/tmp/well')
  t.like(await podman('healthcheck', 'run', name), { code: 0 })
  await podman('rm', '--force', '--time', '0', name)
  const again = await started(['--restart', 'on-failure:2'], 'echo up; exit 6')
  await eventually(
    'it was tried three times',
    async () => (await podman('logs', again)).stdout === 'up\nup\nup\n',
    20_000,
  )
  await eventually(
    'it is given up',
    async () => (await inspect(again, '{{.State.Status}}')) === 'exited',
    20_000,
  )
  t.is(await inspect(again, '{{.RestartCount}} {{.State.ExitCode}}'), '2 6')
  await podman('rm', again)
})

engineTest('a pod: containers share network, host name and IPC; the loopback is up', async (t) => {
  const pod = nextName()
  const infra = ['--infra-image', busyboxName, '--infra-command', 'sleep 1000', '--network=none']
  const parent = ['--cgroup-parent', engine.host.cgroup]
  const created = await podman('pod', 'create', '--name', pod, ...parent, ...infra, '--share', 'net,ipc,uts')
  t.is(created.code, 0, created.stderr)
  const member = ['run', '--pod', pod, ...engine.runFlags.slice(3)]
  const serve = await podman(...member, '--detach', busyboxName, 'nc', '-l', '-p', '99', '-e', 'hostname')
  t.is(serve.code, 0, serve.stderr)
  const ask = 'until nc 127.0.0.1 99 </dev/null; do sleep 0.1; done'
  t.like(await podman(...member, '--rm', busyboxName, 'sh', '-c', ask), { code: 0, stdout: `${pod}\n` })
  t.like(await podman('pod', 'stop', '--time', '0', pod), { code: 0 })
  t.like(await podman('pod', 'rm', '--force', pod), { code: 0 })
})

engineTest('a user namespace: root inside is somebody else outside, and owns what it should', async (t) => {
  const map = ['--uidmap', '0:100000:1000', '--gidmap', '0:200000:1000']
  const name = await started(map, 'touch /made; sleep 100')
  const inside = await podman('exec', name, 'sh', '-c', 'id -u; stat -c %u:%g /made /bin/busybox')
  t.deepEqual(inside, { code: 0, stdout: '0\n0:0\n0:0\n', stderr: '' })
  const outside = await engine.host.shell(`stat -c %u:%g /proc/${await inspect(name, '{{.State.Pid}}')}`)
  t.is(outside.stdout, '100000:200000\n')
  t.like(await podman('rm', '--force', '--time', '0', name), { code: 0 })
})
