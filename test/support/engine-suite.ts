/** What podman and Docker have in common with a runtime below them: the same commands, and what has to come of them. */
import test, { type ExecutionContext } from 'ava'
import type { EngineHost } from './engine-host.ts'
import { engineTests, type TestBody } from './engine-test.ts'
import { eventually } from './eventually.ts'
import { ociPrograms, type Programs } from './oci-programs.ts'
import type { CommandResult, RunOptions } from './own-network.ts'
import type { PeerName } from './peers.ts'

export interface Engine extends AsyncDisposable {
  readonly host: EngineHost
  command(args: readonly string[], options?: RunOptions): Promise<CommandResult>
  /** `run` of the image with this script. */
  shell(flags: readonly string[], script: string, options?: RunOptions): Promise<CommandResult>
  /** The words of a command, to be put behind a terminal. */
  commandLine(args: readonly string[]): string
  /** What every `run` and `create` needs here. */
  readonly runFlags: readonly string[]
  readonly image: string
}

export interface EngineSuite<E extends Engine> {
  engineTest: (title: string, body: TestBody) => void
  /** There from the first test on. */
  engine: () => E
  command: (...args: string[]) => Promise<CommandResult>
  inspect: (name: string, format: string) => Promise<string>
  nextName: () => string
  /** A detached container that runs this script; its name. */
  started: (flags: readonly string[], script: string) => Promise<string>
}

/** Prints a growing number into a file, so that being stopped can be seen; `exit 9` when asked to end. */
export const counting =
  'trap "exit 9" TERM; echo up; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.01; done'

/** Starts the engine, with the keelson-oci that is given, before the first test of the file, and ends it after the last. */
export function engineSuite<E extends Engine>(
  peers: readonly PeerName[],
  start: (runtime: string) => Promise<E>,
): EngineSuite<E> {
  const { present, engineTest } = engineTests(peers)
  let programs: Programs | undefined
  let running: E | undefined
  test.before(async () => {
    if (!present) return
    programs = await ociPrograms()
    running = await start(programs.keelson.path)
  })
  test.after.always(async () => {
    await running?.[Symbol.asyncDispose]()
    await programs?.[Symbol.asyncDispose]()
  })
  const engine = () => {
    if (running === undefined) throw new Error('the engine is there when the tests begin')
    return running
  }
  const command = (...args: string[]) => engine().command(args)
  let counter = 0
  const nextName = () => `c${counter++}`
  return {
    engineTest,
    engine,
    command,
    inspect: async (name, format) => (await command('inspect', '--format', format, name)).stdout.trim(),
    nextName,
    async started(flags, script) {
      const name = nextName()
      const { code, stderr } = await engine().shell(['--detach', '--name', name, ...flags], script)
      if (code !== 0) throw new Error(stderr)
      return name
    },
  }
}

/** How the commands of one engine differ from the other's. */
export interface Differences {
  /** Of `rm`: at once. */
  force: readonly string[]
  /** Looks at a running container as only this engine does. */
  look: (t: ExecutionContext, name: string) => Promise<void>
}

export function commonTests<E extends Engine>(suite: EngineSuite<E>, differences: Differences): void {
  runTests(suite)
  lifeTests(suite, differences)
  limitTests(suite, differences)
  terminalTests(suite)
}

function runTests<E extends Engine>({ engineTest, engine, command, inspect, started }: EngineSuite<E>): void {
  engineTest('run: output, input and exit code', async (t) => {
    const spoken = await engine().shell(['--rm'], 'echo out; echo err >&2; exit 7')
    t.deepEqual(spoken, { code: 7, stdout: 'out\n', stderr: 'err\n' })
    const typed = await engine().shell(['--rm', '--interactive'], 'cat', { input: 'typed\n' })
    t.like(typed, { code: 0, stdout: 'typed\n' })
  })

  engineTest('the true exit code of 50 containers that end at once', async (t) => {
    const codes = Array.from({ length: 50 }, (_, index) => 1 + (index % 100))
    const seen = new Array<number>(codes.length)
    const queue = [...codes.keys()]
    const worker = async () => {
      for (let index = queue.pop(); index !== undefined; index = queue.pop())
        seen[index] = (await engine().shell(['--rm'], `exit ${codes[index]}`)).code
    }
    await Promise.all([worker(), worker(), worker()])
    t.deepEqual(seen, codes)
  })

  engineTest('restart policy', async (t) => {
    const name = await started(['--restart', 'on-failure:2'], 'echo up; exit 6')
    const tried = async () => (await command('logs', name)).stdout === 'up\nup\nup\n'
    await eventually('it was tried three times', tried, 20_000)
    const exited = async () => (await inspect(name, '{{.State.Status}}')) === 'exited'
    await eventually('it is given up', exited, 20_000)
    t.is(await inspect(name, '{{.RestartCount}} {{.State.ExitCode}}'), '2 6')
    await command('rm', name)
  })
}

function lifeTests<E extends Engine>(suite: EngineSuite<E>, { force, look }: Differences): void {
  const { engineTest, engine, command, inspect, started } = suite
  const logs = async (name: string) => (await command('logs', name)).stdout

  engineTest('a life: logs, exec, top, stats, pause felt and seen, stop, wait, rm', async (t) => {
    const name = await started(['--env', 'A=b c'], counting)
    const who = ['--user', '33:34', '--workdir', '/tmp', name, 'sh', '-c', 'id -u; pwd; echo $A; exit 5']
    t.deepEqual(await command('exec', ...who), { code: 5, stdout: '33\n/tmp\nb c\n', stderr: '' })
    const echo = await engine().command(['exec', '--interactive', name, 'cat'], { input: 'typed' })
    t.like(echo, { stdout: 'typed' })
    t.like(await command('exec', '--detach', name, 'touch', '/tmp/detached'), { code: 0 })
    await eventually('it ran', async () => (await command('exec', name, 'ls', '/tmp/detached')).code === 0)
    await look(t, name)
    await pauseAndGoOn(t, suite, name)
    t.is(await logs(name), 'up\n')
    t.like(await command('stop', name), { code: 0 })
    t.is(await inspect(name, '{{.State.ExitCode}} {{.State.Status}}'), '9 exited')
    t.like(await command('wait', name), { stdout: '9\n' })
    t.like(await command('start', name), { code: 0 })
    t.like(await command('restart', '--time', '1', name), { code: 0 })
    t.like(await command('rm', ...force, name), { code: 0 })
  })

  engineTest('kill: a signal of choice, and the end by one', async (t) => {
    const name = await started([], 'trap "echo hup" HUP; echo up; while :; do sleep 0.05; done')
    await eventually('it is up', async () => (await logs(name)) === 'up\n')
    t.like(await command('kill', '--signal', 'HUP', name), { code: 0 })
    await eventually('it was told', async () => (await logs(name)) === 'up\nhup\n')
    t.like(await command('kill', name), { code: 0 })
    t.like(await command('wait', name), { stdout: '137\n' })
    await command('rm', name)
  })
}

function limitTests<E extends Engine>(suite: EngineSuite<E>, { force }: Differences): void {
  const { engineTest, command, started } = suite
  engineTest('limits: memory, pids, open files; memory changed while it runs', async (t) => {
    const limits = ['--memory', '32m', '--memory-swap', '32m', '--pids-limit', '3']
    const name = await started([...limits, '--ulimit', 'nofile=100:200'], 'sleep 100')
    t.is((await command('exec', name, 'sh', '-c', 'ulimit -n; ulimit -Hn')).stdout, '100\n200\n')
    const forks = await command('exec', name, 'sh', '-c', 'sleep 9 & sleep 9 & sleep 9 & echo all')
    t.regex(forks.stderr, /can't fork/)
    const limit = () => command('exec', name, 'cat', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
    t.is((await limit()).stdout, `${32 << 20}\n`)
    const updated = await command('update', '--memory', '48m', '--memory-swap', '48m', name)
    t.is(updated.code, 0, updated.stderr)
    t.is((await limit()).stdout, `${48 << 20}\n`)
    await command('rm', ...force, name)
  })
}

function terminalTests<E extends Engine>(suite: EngineSuite<E>): void {
  const { engineTest, engine, command, inspect } = suite
  engineTest('terminals: exec -it with size and exit code, attach and detach, typed end', async (t) => {
    const name = suite.nextName()
    const { runFlags, image } = engine()
    const shell = ['--detach', '--interactive', '--tty', '--name', name, ...runFlags, image, 'sh']
    t.like(await command('run', ...shell), { code: 0 })
    const sized = 'until [ "$(stty size 2>/dev/null)" = "23 101" ]; do sleep 0.1; done; echo size $((20+3))'
    const typed = `sleep 1; printf 'tty; ${sized}; exit 4\\n'`
    const exec = await typing(engine(), typed, ['exec', '--interactive', '--tty', name, 'sh'])
    t.is(exec.code, 4, exec.stdout)
    t.regex(exec.stdout, /\/dev\/pts\/\d+\r+\nsize 23\r/)
    const attach = ['attach', '--detach-keys=ctrl-x', name]
    const keys = `sleep 1; printf 'echo a$((1+1))\\n'; sleep 1; printf '\\030'`
    t.regex((await typing(engine(), keys, attach)).stdout, /a2\r/)
    t.is(await inspect(name, '{{.State.Status}}'), 'running')
    await typing(engine(), `sleep 1; printf 'exit 6\\n'`, attach)
    t.is(await inspect(name, '{{.State.ExitCode}}'), '6')
    await command('rm', name)
  })
}

async function pauseAndGoOn<E extends Engine>(
  t: ExecutionContext,
  { engine, command, inspect }: EngineSuite<E>,
  name: string,
): Promise<void> {
  const pid = await inspect(name, '{{.State.Pid}}')
  const count = async () => (await engine().host.shell(`cat /proc/${pid}/root/tmp/n`)).stdout
  t.like(await command('pause', name), { code: 0 })
  t.is(await inspect(name, '{{.State.Status}}'), 'paused')
  const stopped = await count()
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(await count(), stopped)
  t.like(await command('unpause', name), { code: 0 })
  await eventually('it goes on', async () => (await count()) !== stopped)
}

/** Types `keys`, a shell's words for bytes and pauses, into a command that has a terminal of 101 × 23. */
function typing(engine: Engine, keys: string, args: readonly string[]): Promise<CommandResult> {
  const words = `stty cols 101 rows 23; ${engine.commandLine(args)}`
  return engine.host.shell(`(${keys}; sleep 2) | script -qec "$WORDS" /dev/null`, { env: { WORDS: words } })
}
