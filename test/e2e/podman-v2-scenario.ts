/**
 * Podman with keelson-oci below it where cgroup v2 is all there is, told as JSON on standard output. Run by
 * podman-v2.test.ts with the path of the command line.
 */
import { eventually } from '../support/eventually.ts'
import { startPodmanHost } from '../support/podman-host.ts'

await using engine = await startPodmanHost(process.argv[2] ?? '')
const podman = (...args: string[]) => engine.command(args)
const inspect = async (name: string, format: string) =>
  (await podman('inspect', '--format', format, name)).stdout.trim()

async function life() {
  const script = 'trap "exit 9" TERM; i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done'
  const started = await engine.shell(['--detach', '--name', 'life', '--memory', '64m'], script)
  if (started.code !== 0) return started
  const exec = await podman('exec', 'life', 'sh', '-c', 'cat /sys/fs/cgroup/memory.max; exit 5')
  const pid = await inspect('life', '{{.State.Pid}}')
  const count = async () => (await engine.host.shell(`cat /proc/${pid}/root/tmp/n`)).stdout
  await eventually('it counts', async () => (await count()) !== '', 20_000)
  await podman('pause', 'life')
  const status = await inspect('life', '{{.State.Status}}')
  const first = await count()
  const stands = (await count()) === first
  await podman('unpause', 'life')
  await eventually('it goes on', async () => (await count()) !== first, 20_000)
  const updated = await podman('update', '--memory', '96m', 'life')
  const limit = (await podman('exec', 'life', 'cat', '/sys/fs/cgroup/memory.max')).stdout
  const stats = JSON.parse((await podman('stats', '--no-stream', '--format', 'json', 'life')).stdout)[0]
  const stopped = await podman('stop', 'life')
  const ended = await inspect('life', '{{.State.ExitCode}} {{.State.Status}}')
  const removed = await podman('rm', 'life')
  const codes = { updated: updated.code, stopped: stopped.code, removed: removed.code }
  return { exec, status, stands, limit, pids: Number(stats.pids), ended, ...codes }
}

async function codes() {
  const seen: number[] = []
  for (const code of [0, 1, 42, 255]) seen.push((await engine.shell(['--rm'], `exit ${code}`)).code)
  const greedy = await engine.shell(['--memory', '24m', '--name', 'greedy'], 'tail /dev/zero')
  return { seen, greedy: greedy.code, oom: await inspect('greedy', '{{.State.OOMKilled}}') }
}

console.log(JSON.stringify({ life: await life(), codes: await codes() }))
