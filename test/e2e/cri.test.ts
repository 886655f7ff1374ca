/**
 * The CRI endpoint as its users see it. Needs root; the node lives in a network namespace of the test's own, and nothing
 * of it may be left at the end.
 */
import { constants, existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ContainerEventType,
  ContainerState,
  PodSandboxState,
  SecurityProfile_ProfileType,
} from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { call, criNodeTests } from '../support/cri-node.ts'
import { eventually } from '../support/eventually.ts'
import { containerConfig, createRequest } from '../support/pod-requests.ts'

const nodeTest = criNodeTests()

nodeTest('a pod from the first call to the last; nothing is left', async (t, node) => {
  const { runtime, directory } = node
  const logs = join(directory, 'logs')
  const podId = await node.pod('web', logs)
  const { status } = await runtime.podSandboxStatus({ podSandboxId: podId, verbose: false }, call)
  t.is(status?.state, PodSandboxState.SANDBOX_READY)
  t.regex(status?.network?.ip ?? '', /^10\.97\.0\.\d+$/)

  const script = 'trap "echo bye; exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done'
  const id = await node.run(podId, 'main', { command: ['sh', '-c', script], logPath: 'main/0.log' })
  t.is((await node.status(id)).state, ContainerState.CONTAINER_RUNNING)
  t.deepEqual(await node.exec(id, 'hostname'), { stdout: 'web\n', stderr: '', exitCode: 0 })
  t.deepEqual(await node.exec(id, 'sh', '-c', 'echo a; echo b >&2; exit 4'), {
    stdout: 'a\n',
    stderr: 'b\n',
    exitCode: 4,
  })
  t.regex((await node.exec(id, 'ip', 'addr')).stdout, new RegExp(status?.network?.ip ?? ''))
  t.regex((await node.exec(id, 'cat', '/etc/hosts')).stdout, /^10\.97\.0\.\d+\tweb$/m)
  await runtime.stopContainer({ containerId: id, timeout: 5n }, call)
  const exited = await node.status(id)
  t.deepEqual([exited.state, exited.exitCode, exited.reason], [ContainerState.CONTAINER_EXITED, 3, 'Error'])
  t.true(exited.finishedAt >= exited.startedAt && exited.startedAt >= exited.createdAt)
  const lines = (await readFile(join(logs, 'main/0.log'), 'utf8')).trim().split('\n')
  t.deepEqual(lines.map((line) => line.replace(/^\S+ /, '')).toSorted(), [
    'stderr F err',
    'stdout F bye',
    'stdout F out',
  ])
  await runtime.stopPodSandbox({ podSandboxId: podId }, call)
})

nodeTest('what a container may do is what it was given', async (t, node) => {
  const podId = await node.pod()
  const seccomp = { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: '' }
  const id = await node.run(podId, 'main', {
    command: ['sleep', '1000'],
    envs: [{ key: 'WHO', value: Buffer.from('me') }],
    workingDir: '/tmp',
    linux: {
      securityContext: {
        runAsUsername: 'web',
        readonlyRootfs: true,
        noNewPrivs: true,
        seccomp,
        namespaceOptions: { pid: 1 },
        capabilities: { dropCapabilities: ['ALL'] },
        maskedPaths: ['/proc/kcore'],
        readonlyPaths: ['/proc/sys'],
      },
      resources: { memoryLimitInBytes: 64n << 20n, cpuShares: 512n, oomScoreAdj: 100n },
    },
  })
  t.is((await node.exec(id, 'id')).stdout, 'uid=33(web) gid=34(web) groups=34(web),90(logs)\n')
  const status = (await node.exec(id, 'cat', '/proc/self/status')).stdout
  t.regex(status, /^NoNewPrivs:\s+1$/m)
  t.regex(status, /^Seccomp:\s+2$/m)
  t.regex(status, /^CapBnd:\s+0+$/m)
  t.regex((await node.exec(id, 'env')).stdout, /^WHO=me$/m)
  t.not((await node.exec(id, 'sh', '-c', 'echo x > /new')).exitCode, 0)
  t.is((await node.exec(id, 'ls', '/proc')).stdout.split('\n').filter((name) => name === '1').length, 1)
  const stats = (await node.runtime.containerStats({ containerId: id }, call)).stats
  t.true((stats?.memory?.usageBytes?.value ?? 0n) > 0n)
  const absent = await t.throwsAsync(node.exec(id, '/no/such'), { message: /no\/such/ })
  t.log(absent.message)
  const late = await t.throwsAsync(
    node.runtime.execSync({ containerId: id, cmd: ['sleep', '100'], timeout: 1n }, call),
  )
  t.true(hasCode(late, 'DEADLINE_EXCEEDED'))
})

nodeTest('a program that is not there: the start says so, the container has exited', async (t, node) => {
  const podId = await node.pod()
  const error = await t.throwsAsync(node.run(podId, 'main', { command: ['/no/such'] }), {
    message: /no\/such/,
  })
  t.log(error.message)
  const { containers } = await node.runtime.listContainers({ filter: undefined }, call)
  const status = await node.status(containers[0]?.id ?? '')
  t.deepEqual([status.state, status.reason], [ContainerState.CONTAINER_EXITED, 'StartError'])
})

nodeTest('too much memory: OOMKilled, 137', async (t, node) => {
  const podId = await node.pod()
  const script = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done'
  const id = await node.run(podId, 'main', {
    command: ['sh', '-c', script],
    linux: {
      resources: { memoryLimitInBytes: 16n << 20n },
      securityContext: { namespaceOptions: { pid: 1 } },
    },
  })
  const status = await node.exited(id)
  t.deepEqual([status.exitCode, status.reason], [137, 'OOMKilled'])
})

nodeTest('exec and attach by URL', async (t, node) => {
  const podId = await node.pod()
  const id = await node.run(podId, 'main', {
    command: ['sh', '-c', 'while read line; do echo "got $line"; done; sleep 0.2'],
    stdin: true,
    stdinOnce: true,
  })
  const all = { stdin: true, stdout: true, stderr: true, tty: false }
  const request = { containerId: id, cmd: ['sh', '-c', 'cat; echo e >&2; exit 5'], ...all }
  const exec = await node.stream((await node.runtime.exec(request, call)).url, 'hello')
  t.is(exec['1'], 'hello')
  t.is(exec['2'], 'e\n')
  t.like(JSON.parse(exec['3'] ?? '{}'), { reason: 'NonZeroExitCode' })
  const tty = {
    ...all,
    tty: true,
    stderr: false,
    containerId: id,
    cmd: ['sh', '-c', 'test -t 1 && echo terminal'],
  }
  const terminal = await node.stream((await node.runtime.exec(tty, call)).url)
  t.regex(terminal['1'] ?? '', /terminal/, JSON.stringify(terminal))
  const attached = await node.stream(
    (await node.runtime.attach({ containerId: id, ...all }, call)).url,
    'one\n',
  )
  t.regex(attached['1'] ?? '', /got one/)
})

nodeTest(
  'CVE-2021-25741: a mount source held open stays what it was, whatever its name leads to later',
  async (t, node) => {
    const volume = join(node.directory, 'volume')
    await mkdir(join(volume, 'sub'), { recursive: true })
    await writeFile(join(volume, 'sub/mine'), 'mine')
    await using held = await open(join(volume, 'sub'), constants.O_RDONLY | constants.O_DIRECTORY)
    const podId = await node.pod()
    const config = containerConfig('main', {
      image: { image: 'busybox:test' },
      command: ['sleep', '1000'],
      mounts: [{ containerPath: '/v', hostPath: `/proc/${process.pid}/fd/${held.fd}`, readonly: true }],
    })
    const { containerId } = await node.runtime.createContainer(createRequest(podId, config), call)
    await rename(join(volume, 'sub'), join(volume, 'old'))
    await symlink('/etc', join(volume, 'sub'))
    await node.runtime.startContainer({ containerId }, call)
    t.is((await node.exec(containerId, 'ls', '/v')).stdout, 'mine\n')
    t.not((await node.exec(containerId, 'sh', '-c', 'echo x > /v/mine')).exitCode, 0)
  },
)

nodeTest("port-forward to the pod's own loopback", async (t, node) => {
  const podId = await node.pod()
  await node.run(podId, 'main', { command: ['nc', '-ll', '-p', '8080', '-e', 'cat'] })
  const ask = async (port: number) => {
    const { url } = await node.runtime.portForward({ podSandboxId: podId, port: [port] }, call)
    return node.stream(url, 'hello', port)
  }
  t.is(await eventually('somebody listens', async () => (await ask(8080))['data'] || undefined), 'hello')
  t.regex((await ask(9))['error'] ?? '', /port 9 failed: .*ECONNREFUSED/)
})

nodeTest('a killed monitor ends its container: 137, MonitorLost, and nothing goes on', async (t, node) => {
  const podId = await node.pod()
  const id = await node.run(podId, 'main', { command: ['sleep', '1000'] })
  const pid = await node.pid(id)
  process.kill(await parentOf(pid), 'SIGKILL')
  const status = await node.exited(id)
  t.deepEqual([status.exitCode, status.reason], [137, 'MonitorLost'])
  // SIGKILL was sent before the exit was told; dying takes a moment of its own.
  await eventually('nothing goes on', async () => (await stateOf(pid)) === 'dead' || undefined)
})

nodeTest('many at once, repeated and impatient', async (t, node) => {
  const one = async (i: number) => {
    const [podId, again] = await Promise.all([node.pod(`p${i}`), node.pod(`p${i}`)])
    t.is(again, podId)
    const id = await node.run(podId, 'main', { command: ['sh', '-c', `exit ${i}`] })
    return (await node.exited(id)).exitCode
  }
  const startedMs = performance.now()
  const codes = await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)))
  t.log(`20 pods at once, up and ended, in ${(performance.now() - startedMs).toFixed(0)} ms`)
  t.deepEqual(
    codes,
    Array.from({ length: 20 }, (_, i) => i),
  )
})

nodeTest(
  'files of running pods removed while the node is away: they end, and new ones take over',
  async (t, node) => {
    const podId = await node.pod('web')
    const lost = await node.run(podId, 'lost', { command: ['sleep', '1000'] })
    const pid = await node.pid(lost)
    const monitor = await parentOf(pid)
    await node.crash()
    for (const name of ['containers', 'pods'])
      await rm(join(node.directory, 'run', name), { recursive: true })
    await node.start()
    t.is((await node.exited(lost)).exitCode, 137)
    await eventually('both gone', () => !existsSync(`/proc/${pid}`) && !existsSync(`/proc/${monitor}`))
    const { status } = await node.runtime.podSandboxStatus({ podSandboxId: podId, verbose: false }, call)
    t.is(status?.state, PodSandboxState.SANDBOX_NOTREADY)
    await node.runtime.removePodSandbox({ podSandboxId: podId }, call)
    const again = await node.run(await node.pod('web'), 'again', { command: ['sleep', '1000'] })
    t.is((await node.exec(again, 'hostname')).stdout, 'web\n')
  },
)

nodeTest('kill -9 of the node: containers go on and are found again', async (t, node) => {
  const logs = join(node.directory, 'logs')
  const podId = await node.pod('web', logs)
  const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'
  const stays = await node.run(podId, 'stays', { command: ['sh', '-c', script], logPath: 'stays.log' })
  const ends = await node.run(podId, 'ends', { command: ['sh', '-c', 'sleep 1; exit 9'] })
  const killed = await node.run(podId, 'killed', { command: ['sleep', '1000'] })
  const pid = await node.pid(stays)
  const monitor = await parentOf(await node.pid(killed))
  await node.crash()
  process.kill(monitor, 'SIGKILL')
  const before = (await readFile(join(logs, 'stays.log'), 'utf8')).length
  await new Promise((resolve) => setTimeout(resolve, 1200))
  t.true((await readFile(join(logs, 'stays.log'), 'utf8')).length > before)
  await node.start()
  t.is(await node.pid(stays), pid)
  t.is((await node.status(stays)).state, ContainerState.CONTAINER_RUNNING)
  t.is((await node.exec(stays, 'hostname')).stdout, 'web\n')
  t.deepEqual([(await node.exited(ends)).exitCode, (await node.exited(ends)).reason], [9, 'Error'])
  const lost = await node.exited(killed)
  t.deepEqual([lost.exitCode, lost.reason], [137, 'MonitorLost'])
  const stopped = new Set<string>()
  for await (const event of node.runtime.getContainerEvents({}, call)) {
    if (event.containerEventType === ContainerEventType.CONTAINER_STOPPED_EVENT)
      stopped.add(event.containerId)
    if (stopped.has(ends) && stopped.has(killed)) break
  }
  t.is(await node.pod('web', logs), podId)
})

nodeTest('how long a pod takes to be up', async (t, node) => {
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    const startedMs = performance.now()
    const podId = await node.pod(`p${i}`)
    await node.run(podId, 'main', { command: ['sleep', '1000'] })
    times.push(performance.now() - startedMs)
    await node.runtime.removePodSandbox({ podSandboxId: podId }, call)
  }
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
  t.log(
    `RunPodSandbox + CreateContainer + StartContainer: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, best ${at(0)} ms`,
  )
  t.true(Number(at(0.5)) < 500)
})

async function parentOf(pid: number): Promise<number> {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
  if (parent > 1) return parent
  throw new Error(`process ${pid} has no monitor`)
}

/** A zombie does nothing any more; who reaps it is the affair of the machine's first process. */
async function stateOf(pid: number): Promise<'alive' | 'dead'> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX')
  return /^State:\s+[ZX]/m.test(status) ? 'dead' : 'alive'
}
