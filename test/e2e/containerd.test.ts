/** keelson-oci below Debian's containerd, by `ctr run --runc-binary` and as a CRI handler by `BinaryName`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { busyboxName } from '../support/busybox-image.ts'
import { type ContainerdHost, containerdPeers, startContainerdHost } from '../support/containerd-host.ts'
import { engineTests } from '../support/engine-test.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms, type Programs } from '../support/oci-programs.ts'

const { present, engineTest } = engineTests(containerdPeers)
let programs: Programs
let containerd: ContainerdHost
test.before(async () => {
  if (!present) return
  programs = await ociPrograms()
  containerd = await startContainerdHost(programs.keelson.path)
})
test.after.always(async () => {
  await containerd?.[Symbol.asyncDispose]()
  await programs?.[Symbol.asyncDispose]()
})

let counter = 0
const nextId = () => `c${counter++}`

/** Prints a growing number into a file, so that being stopped can be seen; `exit 9` when asked to end. */
const counting = 'trap "exit 9" TERM; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.01; done'

async function started(flags: readonly string[], script: string): Promise<string> {
  const id = nextId()
  const { code, stderr } = await containerd.runContainer(['--detach', ...flags], id, ['sh', '-c', script])
  if (code !== 0) throw new Error(stderr)
  return id
}

const exec = (id: string, ...command: string[]) =>
  containerd.ctr(['task', 'exec', '--exec-id', nextId(), id, ...command])

async function statusOf(id: string): Promise<string | undefined> {
  const { stdout } = await containerd.ctr(['task', 'list'])
  return new RegExp(`^${id} +\\d+ +(\\w+)`, 'm').exec(stdout)?.[1]
}

async function removed(id: string): Promise<{ code: number; stderr: string }> {
  const result = await containerd.ctr(['task', 'delete', '--force', id])
  await containerd.ctr(['container', 'delete', id])
  return result
}

/** The container's cgroup in every hierarchy that has one. */
const cgroupsOf = (id: string) =>
  readdirSync('/sys/fs/cgroup').flatMap((name) => {
    const path = join('/sys/fs/cgroup', name, containerd.host.cgroup, id)
    try {
      readdirSync(path)
      return [path]
    } catch {
      return []
    }
  })

engineTest('run: output, input and exit code', async (t) => {
  const run = (script: string) => containerd.runContainer(['--rm'], nextId(), ['sh', '-c', script])
  t.deepEqual(await run('echo out; echo err >&2; exit 7'), { code: 7, stdout: 'out\n', stderr: 'err\n' })
  t.like(await run('true'), { code: 0, stdout: '', stderr: '' })
  t.like(await run('kill -9 $$; echo alive'), { code: 0, stdout: 'alive\n' })
  const id = nextId()
  t.like(
    await containerd.runContainer(['--rm'], id, ['sh', '-c', 'read line; echo "<$line>"'], {
      input: 'typed\n',
    }),
    {
      stdout: '<typed>\n',
    },
  )
  t.deepEqual(cgroupsOf(id), [])
})

engineTest('the true exit code of 50 containers that end at once', async (t) => {
  const codes = Array.from({ length: 50 }, (_, index) => 1 + index * 5)
  const seen = new Array<number>(codes.length)
  const queue = [...codes.keys()]
  const worker = async () => {
    for (let index = queue.pop(); index !== undefined; index = queue.pop())
      seen[index] = (
        await containerd.runContainer(['--rm'], nextId(), ['sh', '-c', `exit ${codes[index]}`])
      ).code
  }
  await Promise.all([worker(), worker(), worker()])
  t.deepEqual(seen, codes)
})

engineTest('a program that is not there: the reason comes through, nothing stays', async (t) => {
  const id = nextId()
  const { code, stderr } = await containerd.runContainer(['--rm'], id, ['/no/such/program'])
  t.not(code, 0)
  t.regex(stderr, /OCI runtime create failed: .*\/no\/such\/program/)
  t.deepEqual(cgroupsOf(id), [])
})

engineTest('task exec: output, input, exit code, user, detached', async (t) => {
  const id = await started([], 'sleep 100')
  const shell = (script: string) => exec(id, 'sh', '-c', script)
  t.deepEqual(await shell('echo out; echo err >&2; exit 5'), { code: 5, stdout: 'out\n', stderr: 'err\n' })
  const words = (flags: string[], ...command: string[]) => [
    ...['task', 'exec', '--exec-id', nextId(), ...flags, id],
    ...command,
  ]
  t.like(await containerd.ctr(words([], 'cat'), { input: 'typed' }), { code: 0, stdout: 'typed' })
  t.like(await containerd.ctr(words(['--user', '33:34', '--cwd', '/tmp'], 'sh', '-c', 'id -u; id -g; pwd')), {
    stdout: '33\n34\n/tmp\n',
  })
  t.like(await containerd.ctr(words(['--detach'], 'sh', '-c', 'echo here > /tmp/detached')), { code: 0 })
  await eventually('it ran', async () => (await exec(id, 'cat', '/tmp/detached')).code === 0)
  const missing = await exec(id, '/no/such/program')
  t.regex(missing.stderr, /OCI runtime exec failed: .*\/no\/such\/program/)
  await removed(id)
})

engineTest('terminals: of a container and of an exec, with size, input and exit code', async (t) => {
  const behind = (args: readonly string[], input: string) => {
    const script = `stty cols 101 rows 23; ${containerd.commandLine(args)}`
    return containerd.host.run('script', ['-qec', script, '/dev/null'], { input })
  }
  const typed = 'tty; until [ "$(stty size)" = "23 101" ]; do sleep 0.05; done; echo size $((20+3))\nexit 3\n'
  const whole = await behind(['run', '--rm', '--tty', busyboxName, nextId(), 'sh'], typed)
  t.is(whole.code, 3, whole.stdout)
  t.regex(whole.stdout, /\/dev\/pts\/0\r[\s\S]*size 23\r/)
  const id = await started([], 'sleep 100')
  const part = await behind(['task', 'exec', '--tty', '--exec-id', nextId(), id, 'sh'], typed)
  t.is(part.code, 3, part.stdout)
  t.regex(part.stdout, /\/dev\/pts\/0\r[\s\S]*size 23\r/)
  await removed(id)
})

engineTest('pause and resume are seen and felt; kill; the code is told at delete', async (t) => {
  const id = await started([], counting)
  const [path = ''] = readdirSync('/proc').filter((pid) => isCounting(pid, id))
  const count = () => readFileSync(`/proc/${path}/root/tmp/n`, 'utf8')
  await eventually('it counts', () => count() !== '')
  t.like(await containerd.ctr(['task', 'pause', id]), { code: 0 })
  t.is(await statusOf(id), 'PAUSED')
  const stopped = count()
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(count(), stopped)
  t.like(await containerd.ctr(['task', 'resume', id]), { code: 0 })
  t.is(await statusOf(id), 'RUNNING')
  await eventually('it goes on', () => count() !== stopped)
  t.like(await containerd.ctr(['task', 'kill', id]), { code: 0 })
  await eventually('it ends', async () => (await statusOf(id)) === 'STOPPED')
  t.regex((await removed(id)).stderr, /non-zero exit code 9/)
  t.deepEqual(cgroupsOf(id), [])
})

function isCounting(pid: string, id: string): boolean {
  try {
    return (
      /^\d+$/.test(pid) &&
      readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/${containerd.host.cgroup}/${id}\n`)
    )
  } catch {
    return false
  }
}

engineTest('limits hold and metrics are read: memory, cpu, an end for want of memory', async (t) => {
  const id = await started(
    ['--memory-limit', `${48 << 20}`, '--cpu-quota', '20000', '--cpu-period', '100000'],
    'while :; do :; done',
  )
  const metrics = async () => {
    const { stdout } = await containerd.ctr(['task', 'metrics', id])
    return Object.fromEntries(stdout.split('\n').map((line) => line.split(/ {2,}/)))
  }
  const before = Number((await metrics())['cpuacct.usage'])
  const startMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const after = await metrics()
  const share = (Number(after['cpuacct.usage']) - before) / 1e6 / (performance.now() - startMs)
  t.true(share > 0.05 && share < 0.35, `a fifth of a CPU was given, ${share} was used`)
  t.like(after, { 'memory.limit_in_bytes': `${48 << 20}`, 'pids.current': '1' })
  await removed(id)
  const events = containerd.host.start('ctr', ['--address', containerd.socketPath, 'events'])
  const told = () => readFileSync(containerd.host.logOf('ctr'), 'utf8')
  await eventually('ctr listens', async () => {
    await containerd.runContainer(['--rm'], nextId(), ['true'])
    return told().includes('/tasks/exit')
  })
  // The shim listens for it only after the program has begun.
  const greedy = ['sh', '-c', 'sleep 0.5; exec tail /dev/zero']
  const limit = ['--rm', '--memory-limit', `${16 << 20}`]
  t.like(await containerd.runContainer(limit, nextId(), greedy), { code: 137 })
  await eventually('containerd tells', () => told().includes('/tasks/oom'))
  events.kill()
})

engineTest(
  'what ctr can ask for: directory, environment, mounts, read-only root, seccomp, no pivot',
  async (t) => {
    const mount = `type=bind,src=${containerd.host.folder},dst=/host,options=rbind:ro`
    const flags = ['--cwd', '/tmp', '--env', 'A=b c', '--mount', mount, '--read-only', '--seccomp', '--rm']
    const script =
      'pwd; echo $A; touch /x /host/x; grep -c "Seccomp:.2" /proc/self/status; ls /host/busybox.tar'
    t.deepEqual(await containerd.runContainer(flags, nextId(), ['sh', '-c', script]), {
      code: 0,
      stdout: '/tmp\nb c\n1\n/host/busybox.tar\n',
      stderr: 'touch: /x: Read-only file system\ntouch: /host/x: Read-only file system\n',
    })
  },
)

engineTest('checkpoint is refused in words and harms nobody', async (t) => {
  const id = await started([], 'sleep 100')
  const { code, stderr } = await containerd.ctr(['task', 'checkpoint', id])
  t.is(code, 1)
  t.regex(stderr, /keelson-oci: checkpoint: /)
  t.is(await statusOf(id), 'RUNNING')
  t.is((await exec(id, 'true')).code, 0)
  await removed(id)
})

engineTest('a shim that is killed takes its container along', async (t) => {
  const id = await started([], 'sleep 100')
  const shim = containerd.host.processes().find(({ command }) => command.includes(`-id ${id} `))
  t.truthy(shim)
  if (shim) process.kill(shim.pid, 'SIGKILL')
  await eventually('nothing of it is left', () => cgroupsOf(id).length === 0, 10_000)
  await containerd.ctr(['container', 'delete', id])
})
