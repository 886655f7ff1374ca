/** keelson-oci below Debian's Docker Engine, by `--add-runtime` as the guide says. */
import { dockerPeers, startDockerHost } from '../support/docker-host.ts'
import { commonTests, engineSuite } from '../support/engine-suite.ts'
import { eventually } from '../support/eventually.ts'

const suite = engineSuite(dockerPeers, startDockerHost)
const { engineTest, engine, command: docker, inspect, started } = suite

commonTests(suite, {
  force: ['--force'],
  async look(t, name) {
    t.regex((await docker('top', name)).stdout, /^root .* sh -c trap/m)
    const stats = await docker('stats', '--no-stream', '--format', '{{.PIDs}} {{.MemUsage}}', name)
    t.regex(stats.stdout, /^[1-9]\d* [1-9]/)
  },
})

engineTest('a program that is not there, or no program: Docker’s own exit codes', async (t) => {
  const run = (program: string) => docker('run', '--rm', ...engine().runFlags, engine().image, program)
  const missing = await run('/no/such/program')
  t.is(missing.code, 127)
  t.regex(missing.stderr, /OCI runtime create failed: .*"\/no\/such\/program".*no such file or directory/)
  const noProgram = await run('/etc/passwd')
  t.is(noProgram.code, 126)
  t.regex(noProgram.stderr, /"\/etc\/passwd".*permission denied/)
})

engineTest('host network; pids changed while it runs; an end for want of memory is told', async (t) => {
  const host = ['run', '--rm', '--network=host', engine().image, 'sh', '-c', 'exit 8']
  t.like(await docker(...host), { code: 8 })
  const name = await started(['--pids-limit', '3'], 'sleep 100')
  const fork = () => docker('exec', name, 'sh', '-c', 'sleep 1 & sleep 1 & sleep 1 & echo all')
  t.regex((await fork()).stderr, /can't fork/)
  t.like(await docker('update', '--pids-limit', '20', name), { code: 0 })
  t.is((await fork()).stdout, 'all\n')
  await docker('rm', '--force', name)
  const greedy = await started(['--memory', '16m', '--memory-swap', '16m'], 'sleep 0.3; tail /dev/zero')
  t.like(await docker('wait', greedy), { stdout: '137\n' })
  t.is(await inspect(greedy, '{{.State.OOMKilled}}'), 'true')
  await docker('rm', greedy)
})

engineTest('--init and health checks', async (t) => {
  t.like(await engine().shell(['--rm', '--init'], 'cat /proc/1/comm; exit 4'), {
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
    const volume = ['--volume', `${engine().host.folder}:/host:ro`, '--cap-drop', 'ALL']
    const script =
      'hostname; touch /x; touch /host/x; touch /scratch/x && echo scratch; grep -h NoNewPrivs /proc/self/status; grep CapEff /proc/self/status'
    t.deepEqual(await engine().shell([...flags, ...volume], script), {
      code: 0,
      stdout: 'named\nscratch\nNoNewPrivs:\t1\nCapEff:\t0000000000000000\n',
      stderr: 'touch: /x: Read-only file system\ntouch: /host/x: Read-only file system\n',
    })
    const privileged = await engine().shell(
      ['--rm', '--privileged'],
      'grep -c "Seccomp:.0" /proc/self/status; ls /dev/kmsg',
    )
    t.like(privileged, { code: 0, stdout: '1\n/dev/kmsg\n' })
  },
)
