/**
 * An engine with keelson-oci below it where cgroup v2 is all there is, told as JSON on standard output. Run by
 * engine-v2.test.ts with the engine's name and the path of the command line.
 */
import { startDockerHost } from '../support/docker-host.ts'
import { eventually } from '../support/eventually.ts'
import { startPodmanHost } from '../support/podman-host.ts'

const [, , name, runtime = ''] = process.argv
await using engine = await (name === 'docker' ? startDockerHost : startPodmanHost)(runtime)
const command = (...args: string[]) => engine.command(args)
const inspect = async (container: string, format: string) =>
  (await command('inspect', '--format', format, container)).stdout.trim()

async function life() {
  const script = 'trap "exit 9" TERM; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done'
  const started = await engine.shell(['--detach', '--name', 'life', '--memory', '64m'], script)
  if (started.code !== 0) return started
  const exec = await command('exec', 'life', 'sh', '-c', 'cat /sys/fs/cgroup/memory.max; exit 5')
  const pid = await inspect('life', '{{.State.Pid}}')
  const count = async () => (await engine.host.shell(`cat /proc/${pid}/root/tmp/n`)).stdout
  await eventually('it counts', async () => (await count()) !== '', 20_000)
  await command('pause', 'life')
  const status = await inspect('life', '{{.State.Status}}')
  const first = await count()
  const stands = (await count()) === first
  await command('unpause', 'life')
  await eventually('it goes on', async () => (await count()) !== first, 20_000)
  const updated = await command('update', '--memory', '96m', '--memory-swap', '96m', 'life')
  const limit = (await command('exec', 'life', 'cat', '/sys/fs/cgroup/memory.max')).stdout
  const stats = await command('stats', '--no-stream', '--format', '{{.PIDs}}', 'life')
  const stopped = await command('stop', 'life')
  const ended = await inspect('life', '{{.State.ExitCode}} {{.State.Status}}')
  const removed = await command('rm', 'life')
  const codes = { updated: updated.code, stopped: stopped.code, removed: removed.code }
  return { exec, status, stands, limit, pids: Number(stats.stdout), ended, ...codes }
}

async function codes() {
  const seen: number[] = []
  for (const code of [0, 1, 42, 255]) seen.push((await engine.shell(['--rm'], `exit ${code}`)).code)
  const limit = ['--rm', '--memory', '24m', '--memory-swap', '24m']
  const greedy = await engine.shell(limit, 'sleep 1; tail /dev/zero')
  return { seen, greedy: greedy.code }
}

console.log(JSON.stringify({ life: await life(), codes: await codes() }))
