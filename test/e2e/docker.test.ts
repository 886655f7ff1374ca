/** keelson-oci below Debian's Docker Engine, by `--add-runtime` as the guide says. */
import test from 'ava'
import { type DockerHost, dockerPeers, startDockerHost } from '../support/docker-host.ts'
import { engineTests } from '../support/engine-test.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms, type Programs } from '../support/oci-programs.ts'
import type { CommandResult } from '../support/own-network.ts'

const { present, engineTest } = engineTests(dockerPeers)
let programs: Programs
let engine: DockerHost
test.before(async () => {
  if (!present) return
  programs = await ociPrograms()
  engine = await startDockerHost(programs.keelson.path)
})
test.after.always(async () => {
  await engine?.[Symbol.asyncDispose]()
  await programs?.[Symbol.asyncDispose]()
})

let counter = 0
const nextName = () => `d${counter++}`

/** Prints a growing number into a file, so that being stopped can be seen; `exit 9` when asked to end. */
const counting =
  'trap "exit 9" TERM; echo up; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.01; done'

const docker = (...args: string[]) => engine.docker(args)
const inspect = async (name: string, format: string) =>
  (await docker('inspect', '--format', format, name)).stdout.trim()

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
  t.like(await docker('run', '--rm', '--network=host', engine.image, 'sh', '-c', 'exit 8'), { code: 8 })
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

engineTest('a program that is not there, or no program: Docker’s own exit codes', async (t) => {
  const run = (program: string) => docker('run', '--rm', '--network=none', engine.image, program)
  const missing = await run('/no/such/program')
  t.is(missing.code, 127)
  t.regex(missing.stderr, /OCI runtime create failed: .*"\/no\/such\/program".*no such file or directory/)
  const noProgram = await run('/etc/passwd')
  t.is(noProgram.code, 126)
  t.regex(noProgram.stderr, /"\/etc\/passwd".*permission denied/)
})

engineTest('a life: logs, exec, top, stats, pause felt and seen, stop, wait, rm', async (t) => {
  const name = await started(['--env', 'A=b c'], counting)
  const who = [
    'exec',
    '--user',
    '33:34',
    '--workdir',
    '/tmp',
    name,
    'sh',
    '-c',
    'id -u; pwd; echo $A; exit 5',
  ]
  t.deepEqual(await docker(...who), { code: 5, stdout: '33\n/tmp\nb c\n', stderr: '' })
  t.like(await engine.docker(['exec', '--interactive', name, 'cat'], { input: 'typed' }), { stdout: 'typed' })
  t.like(await docker('exec', '--detach', name, 'touch', '/tmp/detached'), { code: 0 })
  await eventually('it ran', async () => (await docker('exec', name, 'ls', '/tmp/detached')).code === 0)
  t.regex((await docker('top', name)).stdout, /^root .* sh -c trap/m)
  const stats = await docker('stats', '--no-stream', '--format', '{{.PIDs}} {{.MemUsage}}', name)
  t.regex(stats.stdout, /^[1-9]\d* [1-9]/)
  const pid = await inspect(name, '{{.State.Pid}}')
  const count = async () => (await engine.host.shell(`cat /proc/${pid}/root/tmp/n`)).stdout
  t.like(await docker('pause', name), { code: 0 })
  t.is(await inspect(name, '{{.State.Status}}'), 'paused')
  const stopped = await count()
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(await count(), stopped)
  t.like(await docker('unpause', name), { code: 0 })
  await eventually('it goes on', async () => (await count()) !== stopped)
  t.is((await docker('logs', name)).stdout, 'up\n')
  t.like(await docker('stop', name), { code: 0 })
  t.is(await inspect(name, '{{.State.ExitCode}} {{.State.Status}}'), '9 exited')
  t.like(await docker('wait', name), { stdout: '9\n' })
  t.like(await docker('start', name), { code: 0 })
  t.like(await docker('restart', '--time', '1', name), { code: 0 })
  t.like(await docker('rm', '--force', name), { code: 0 })
})

engineTest('kill: a signal of choice, and the end by one', async (t) => {
  const name = await started([], 'trap "echo hup" HUP; echo up; while :; do sleep 0.05; done')
  await eventually('it is up', async () => (await docker('logs', name)).stdout === 'up\n')
  t.like(await docker('kill', '--signal', 'HUP', name), { code: 0 })
  await eventually('it was told', async () => (await docker('logs', name)).stdout === 'up\nhup\n')
  t.like(await docker('kill', name), { code: 0 })
  t.like(await docker('wait', name), { stdout: '137\n' })
  await docker('rm', name)
})

engineTest(
  'limits: memory, pids, open files; changed while it runs; an end for want of memory is told',
  async (t) => {
    const limits = [
      '--memory',
      '32m',
      '--memory-swap',
      '32m',
      '--pids-limit',
      '3',
      '--ulimit',
      'nofile=100:200',
    ]
    const name = await started(limits, 'sleep 100')
    t.is((await docker('exec', name, 'sh', '-c', 'ulimit -n; ulimit -Hn')).stdout, '100\n200\n')
    const forks = await docker('exec', name, 'sh', '-c', 'sleep 9 & sleep 9 & sleep 9 & echo all')
    t.regex(forks.stderr, /can't fork/)
    const limit = () => docker('exec', name, 'cat', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
    t.is((await limit()).stdout, `${32 << 20}\n`)
    const updated = await docker(
      'update',
      '--memory',
      '48m',
      '--memory-swap',
      '48m',
      '--pids-limit',
      '20',
      name,
    )
    t.is(updated.code, 0, updated.stderr)
    t.is((await limit()).stdout, `${48 << 20}\n`)
    t.is((await docker('exec', name, 'sh', '-c', 'sleep 1 & sleep 1 & sleep 1 & echo all')).stdout, 'all\n')
    await docker('rm', '--force', name)
    const greedy = await started(['--memory', '16m', '--memory-swap', '16m'], 'sleep 0.3; tail /dev/zero')
    t.like(await docker('wait', greedy), { stdout: '137\n' })
    t.is(await inspect(greedy, '{{.State.OOMKilled}}'), 'true')
    await docker('rm', greedy)
  },
)

engineTest('terminals: run -it and exec -it with size and exit code, attach and detach', async (t) => {
  const name = nextName()
  t.like(await docker('run', '--detach', '-it', '--network=none', '--name', name, engine.image, 'sh'), {
    code: 0,
  })
  const typed = `sleep 1; printf 'tty; until [ "$(stty size)" = "23 101" ]; do sleep 0.1; done; echo size $((20+3)); exit 4\\n'`
  const exec = await typing(typed, ['exec', '-it', name, 'sh'])
  t.is(exec.code, 4, exec.stdout)
  t.regex(exec.stdout, /\/dev\/pts\/\d+\r+\nsize 23\r/)
  const attach = ['attach', '--detach-keys=ctrl-x', name]
  const attached = await typing(`sleep 1; printf 'echo a$((1+1))\\n'; sleep 1; printf '\\030'`, attach)
  t.regex(attached.stdout, /a2\r/)
  t.is(await inspect(name, '{{.State.Status}}'), 'running')
  t.is((await typing(`sleep 1; printf 'exit 6\\n'`, attach)).code, 6)
  t.is(await inspect(name, '{{.State.ExitCode}}'), '6')
  await docker('rm', name)
})

engineTest('--init, health checks, restart policy', async (t) => {
  t.like(await engine.shell(['--rm', '--init'], 'cat /proc/1/comm; exit 4'), {
    code: 4,
    stdout: 'docker-init\n',
  })
  const health = ['--health-cmd', 'test -f /tmp/well', '--health-interval', '300ms', '--health-retries', '1']
  const name = await started(health, 'sleep 100')
  const status = (wanted: string) => async () => (await inspect(name, '{{.State.Health.Status}}')) === wanted
  await eventually('it is unwell', status('unhealthy'), 20_000)
  await docker('exec', name, 'touch', '/tmp/well')
  await eventually('it is well', status('healthy'), 20_000)
  await docker('rm', '--force', name)
  const again = await started(['--restart', 'on-failure:2'], 'echo up; exit 6')
  await eventually(
    'it was tried three times',
    async () => (await docker('logs', again)).stdout === 'up\nup\nup\n',
    20_000,
  )
  await eventually(
    'it is given up',
    async () => (await inspect(again, '{{.State.Status}}')) === 'exited',
    20_000,
  )
  t.is(await inspect(again, '{{.RestartCount}} {{.State.ExitCode}}'), '2 6')
  await docker('rm', again)
})

engineTest(
  'what Docker can ask for: read-only root, volumes, tmpfs, privileges, no new ones, host name',
  async (t) => {
    const flags = [
      '--rm',
      '--read-only',
      '--tmpfs',
      '/scratch',
      '--hostname',
      'named',
      '--security-opt',
      'no-new-privileges',
    ]
    const volume = ['--volume', `${engine.host.folder}:/host:ro`, '--cap-drop', 'ALL']
    const script =
      'hostname; touch /x; touch /host/x; touch /scratch/x && echo scratch; grep -h NoNewPrivs /proc/self/status; grep CapEff /proc/self/status'
    t.deepEqual(await engine.shell([...flags, ...volume], script), {
      code: 0,
      stdout: 'named\nscratch\nNoNewPrivs:\t1\nCapEff:\t0000000000000000\n',
      stderr: 'touch: /x: Read-only file system\ntouch: /host/x: Read-only file system\n',
    })
    const privileged = await engine.shell(
      ['--rm', '--privileged'],
      'grep -c "Seccomp:.0" /proc/self/status; ls /dev/kmsg',
    )
    t.like(privileged, { code: 0, stdout: '1\n/dev/kmsg\n' })
  },
)
