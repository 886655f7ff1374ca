/** keelson-oci below Debian's podman and conmon, told of it by containers.conf as the guide says, and without. */
import { readFileSync } from 'node:fs'
import { busyboxName } from '../support/busybox-image.ts'
import { commonTests, counting, engineSuite } from '../support/engine-suite.ts'
import { findPeer } from '../support/peers.ts'
import { podmanPeers, startPodmanHost } from '../support/podman-host.ts'

const suite = engineSuite(podmanPeers, startPodmanHost)
const { engineTest, engine, command: podman, inspect, nextName, started } = suite
const force = ['--force', '--time', '0']

commonTests(suite, {
  force,
  async look(t, name) {
    t.regex((await podman('exec', name, '/no/such/program')).stderr, /no such file or directory/)
    t.regex((await podman('top', name)).stdout, /^root +1 +0 .*sh -c trap/m)
    const stats = JSON.parse((await podman('stats', '--no-stream', '--format', 'json', name)).stdout)[0]
    t.true(Number(stats.pids) >= 1)
  },
})

engineTest(
  'a program that is not there, or no program: podman’s own exit codes, with and without the lines',
  async (t) => {
    for (const bare of [false, true]) {
      const run = (program: string) =>
        engine().command(['run', '--rm', ...engine().runFlags, busyboxName, program], { bare })
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
    const flags = ['run', '--rm', '--network=none', '--cgroups=disabled', ...engine().runFlags.slice(3)]
    const command = [busyboxName, 'grep', 'pids', '/proc/self/cgroup']
    const disabled = await engine().command([...flags, ...command])
    t.like(disabled, { code: 0, stderr: '' })
    t.regex(disabled.stdout, /^\d+:pids:.*\n$/)
    const cgroups = readFileSync(`/proc/${engine().host.pid}/cgroup`, 'utf8')
    t.true(cgroups.includes(disabled.stdout), disabled.stdout)
    const bare = await engine().command([...flags, ...command], { bare: true })
    t.is(bare.code, 125)
    t.regex(bare.stderr, /not compatible with NoCgroups/)
  },
)

engineTest('without containers.conf: run, exec, stop, true exit codes', async (t) => {
  const name = nextName()
  const bare = { bare: true }
  t.like(await engine().shell(['--detach', '--name', name], counting, bare), { code: 0 })
  t.like(await engine().command(['exec', name, 'sh', '-c', 'echo in; exit 5'], bare), {
    code: 5,
    stdout: 'in\n',
  })
  t.like(await engine().command(['stop', name], bare), { code: 0 })
  t.like(await engine().command(['wait', name], bare), { stdout: '9\n' })
  t.like(await engine().command(['rm', name], bare), { code: 0 })
})

engineTest('an end for want of memory', async (t) => {
  t.like(await engine().shell(['--rm', '--memory', '16m'], 'tail /dev/zero'), { code: 137 })
})

engineTest('--init and health checks', async (t) => {
  const init = ['--rm', '--init', '--init-path', findPeer('catatonit') ?? '']
  t.like(await engine().shell(init, 'cat /proc/1/comm; exit 4'), { code: 4, stdout: 'podman-init\n' })
  const health = ['--health-cmd', 'test -f /tmp/well', '--health-interval', 'disable']
  const name = await started(health, 'sleep 100')
  t.like(await podman('healthcheck', 'run', name), { code: 1 })
  await podman('exec', name, 'touch', '/tmp/well')
  t.like(await podman('healthcheck', 'run', name), { code: 0 })
  await podman('rm', ...force, name)
})

engineTest('a pod: containers share network, host name and IPC; the loopback is up', async (t) => {
  const pod = nextName()
  const infra = ['--infra-image', busyboxName, '--infra-command', 'sleep 1000', '--network=none']
  const parent = ['--cgroup-parent', engine().host.cgroup]
  const created = await podman('pod', 'create', '--name', pod, ...parent, ...infra, '--share', 'net,ipc,uts')
  t.is(created.code, 0, created.stderr)
  const member = ['run', '--pod', pod, ...engine().runFlags.slice(3)]
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
  const outside = await engine().host.shell(`stat -c %u:%g /proc/${await inspect(name, '{{.State.Pid}}')}`)
  t.is(outside.stdout, '100000:200000\n')
  t.like(await podman('rm', ...force, name), { code: 0 })
})
