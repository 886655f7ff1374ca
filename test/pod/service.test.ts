import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  ContainerEventType,
  ContainerState,
  NamespaceMode,
  PodSandboxState,
  SecurityProfile_ProfileType,
} from '../../cri/types.ts'
import { asKeelsonError, hasCode, KeelsonError } from '../../src/base/index.ts'
import { eventually } from '../support/eventually.ts'
import { settle } from '../support/fake-clock.ts'
import { fakeImage } from '../support/fake-images.ts'
import { Bench, call } from '../support/pod-bench.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'

test('a pod: namespaces, network, files; ready with its address; stopped; removed with all it had', async (t) => {
  await using bench = await Bench.open()
  const { host, runtime } = bench
  const id = await bench.pod()
  t.deepEqual(host.pins.pinned.get(id)?.uts, { hostname: 'web' })
  t.is(host.network.requests[0]?.podUid, 'uid-web')
  t.regex(await readFile(join(bench.path, 'run/pods', id, 'hosts'), 'utf8'), /^10\.42\.0\.1\tweb$/m)
  const { status } = await runtime.podSandboxStatus({ podSandboxId: id, verbose: false }, call)
  t.is(status?.state, PodSandboxState.SANDBOX_READY)
  t.is(status?.network?.ip, '10.42.0.1')
  t.true((status?.createdAt ?? 0n) > 0n)

  await runtime.stopPodSandbox({ podSandboxId: id }, call)
  await runtime.stopPodSandbox({ podSandboxId: id }, call)
  const stopped = await runtime.podSandboxStatus({ podSandboxId: id, verbose: false }, call)
  t.is(stopped.status?.state, PodSandboxState.SANDBOX_NOTREADY)
  t.is(host.pins.pinned.size + host.network.leases.size, 0)

  await runtime.removePodSandbox({ podSandboxId: id }, call)
  await runtime.removePodSandbox({ podSandboxId: id }, call)
  await t.throwsAsync(runtime.podSandboxStatus({ podSandboxId: id, verbose: false }, call), {
    instanceOf: KeelsonError,
    message: /no pod sandbox/,
  })
  t.deepEqual(await readdir(join(bench.path, 'run/pods')), [])
})

test('a pod that cannot be made leaves nothing', async (t) => {
  await using bench = await Bench.open()
  bench.host.network.failure = new KeelsonError('RESOURCE_EXHAUSTED', 'no addresses left')
  await t.throwsAsync(bench.pod(), { message: 'no addresses left' })
  t.is(bench.host.pins.pinned.size, 0)
  t.deepEqual(await readdir(join(bench.path, 'run/pods')), [])
  t.is((await bench.runtime.listPodSandbox({ filter: undefined }, call)).items.length, 0)
})

test('asked again with the same uid and attempt: the first request is joined, its result returned', async (t) => {
  await using bench = await Bench.open()
  let open = () => {}
  bench.host.network.gate = new Promise((resolve) => {
    open = resolve
  })
  const both = Promise.all([bench.pod(), bench.pod()])
  await settle()
  open()
  const [first, second] = await both
  t.is(first, second)
  t.is(await bench.pod(), first)
  t.is(bench.host.network.requests.length, 1)
  const [one, two] = await Promise.all([bench.container(first), bench.container(first)])
  t.is(one, two)
  t.is(await bench.container(first), one)
  const again = podConfig('web', {
    metadata: { name: 'web', uid: 'uid-web', namespace: 'default', attempt: 1 },
  })
  const { podSandboxId } = await bench.runtime.runPodSandbox(runRequest(again), call)
  t.not(podSandboxId, first)
})

test('what is refused before anything is made', async (t) => {
  await using bench = await Bench.open()
  const security = (options: object) => ({
    linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER, ...options } } },
  })
  const refused = [
    [runRequest(podConfig('a'), 'kata'), 'INVALID_ARGUMENT', /kata/],
    [runRequest(podConfig('a', security({ pid: NamespaceMode.TARGET }))), 'INVALID_ARGUMENT', /no container/],
    [runRequest(podConfig('a', { linux: { cgroupParent: 'x.slice' } })), 'INVALID_ARGUMENT', /systemd/],
    [runRequest(podConfig('a', { hostname: 'x'.repeat(65) })), 'INVALID_ARGUMENT', /64/],
    [{ config: undefined, runtimeHandler: '' }, 'INVALID_ARGUMENT', /metadata/],
  ] as const
  for (const [request, code, message] of refused) {
    const error = await t.throwsAsync(bench.runtime.runPodSandbox(request, call), { message })
    t.true(hasCode(error, code))
  }
  t.is(bench.host.pins.pinned.size, 0)
})

test("the host's network: no network, no name of its own", async (t) => {
  await using bench = await Bench.open()
  const namespaceOptions = { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.NODE }
  const linux = { securityContext: { namespaceOptions } }
  const { podSandboxId } = await bench.runtime.runPodSandbox(runRequest(podConfig('h', { linux })), call)
  const pinned = bench.host.pins.pinned.get(podSandboxId)
  t.deepEqual([pinned?.network, pinned?.ipc, pinned?.uts, pinned?.sysctls], [false, false, undefined, {}])
  t.is(bench.host.network.requests.length, 0)
  const id = await bench.container(podSandboxId, { linux })
  await bench.runtime.startContainer({ containerId: id }, call)
  const [request] = bench.host.runtime.requests
  t.deepEqual(
    request?.spec.linux?.namespaces?.map(({ type }) => type),
    ['mount', 'cgroup'],
  )
  t.deepEqual(request?.namespaceFds, {})
  t.deepEqual(request?.mountFds, {})
})

test('a container: created, started with the pod joined, ended, removed', async (t) => {
  await using bench = await Bench.open()
  const { host, runtime } = bench
  const podId = await bench.pod()
  const id = await bench.container(podId, { logPath: 'main/0.log' })
  t.is((await bench.status(id)).state, ContainerState.CONTAINER_CREATED)
  t.is((await bench.status(id)).startedAt, 0n)
  t.is(host.runtime.requests.length, 0)
  t.true(host.images.prepared.has(id))

  await runtime.startContainer({ containerId: id }, call)
  const [request] = host.runtime.requests
  t.deepEqual(Object.keys(request?.namespaceFds ?? {}).sort(), ['ipc', 'network', 'uts'])
  t.deepEqual(Object.keys(request?.mountFds ?? {}), ['/dev/shm'])
  t.deepEqual(request?.spec.process?.args, ['/entry', 'serve'])
  t.deepEqual(request?.spec.process?.user, { uid: 33, gid: 34, additionalGids: [34, 90] })
  const running = await bench.status(id)
  t.is(running.state, ContainerState.CONTAINER_RUNNING)
  t.is(running.imageId, fakeImage.id)
  t.deepEqual([running.imageRef], fakeImage.repoDigests)
  t.is(running.image?.image, 'docker.io/library/nginx:1.7.9')
  const twice = await t.throwsAsync(runtime.startContainer({ containerId: id }, call))
  t.true(hasCode(twice, 'FAILED_PRECONDITION'))

  host.runtime.container(id).end(3)
  await eventually(
    'the status follows',
    async () => (await bench.status(id)).state === ContainerState.CONTAINER_EXITED,
  )
  const exited = await bench.status(id)
  t.deepEqual([exited.exitCode, exited.reason, exited.finishedAt], [3, 'Error', 99n])
  await eventually('the status follows', async () => host.runtime.containers.size === 0)

  await runtime.removeContainer({ containerId: id }, call)
  await runtime.removeContainer({ containerId: id }, call)
  t.is(host.images.prepared.size, 0)
  await t.throwsAsync(bench.status(id), { message: /no container/ })
})

test('reasons: Completed, OOMKilled, MonitorLost', async (t) => {
  const cases = [
    [0, {}, 0, 'Completed'],
    [137, { oomKilled: true }, 137, 'OOMKilled'],
    [255, { reason: 'MonitorLost' }, 137, 'MonitorLost'],
  ] as const
  for (const [code, more, expected, reason] of cases) {
    await using bench = await Bench.open()
    const { id, live } = await bench.running()
    live.end(code, more)
    await eventually('the status follows', async () => (await bench.status(id)).reason !== '')
    const status = await bench.status(id)
    t.deepEqual([status.exitCode, status.reason], [expected, reason])
  }
})

test('a start that fails: the error is told, the container has exited with StartError', async (t) => {
  await using bench = await Bench.open()
  const podId = await bench.pod()
  const id = await bench.container(podId)
  bench.host.runtime.failure = new KeelsonError('NOT_FOUND', 'execve /entry: ENOENT')
  await t.throwsAsync(bench.runtime.startContainer({ containerId: id }, call), { message: /ENOENT/ })
  const status = await bench.status(id)
  t.deepEqual(
    [status.state, status.exitCode, status.reason, status.message],
    [ContainerState.CONTAINER_EXITED, 128, 'StartError', 'execve /entry: ENOENT'],
  )
})

test("stop: the image's signal, in time; what is gone is a success", async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running()
  await bench.runtime.stopContainer({ containerId: id, timeout: 10n }, call)
  t.deepEqual(live.signals, ['SIGQUIT'])
  t.is((await bench.status(id)).state, ContainerState.CONTAINER_EXITED)
  t.is(bench.clock.pending, 0)
  await t.notThrowsAsync(bench.runtime.stopContainer({ containerId: id, timeout: 10n }, call))
  await t.notThrowsAsync(bench.runtime.stopContainer({ containerId: 'nope', timeout: 0n }, call))
})

test('stop: one signal however many ask, SIGKILL at the earliest deadline, timeout 0 kills now', async (t) => {
  await using bench = await Bench.open()
  bench.host.runtime.ignored = ['SIGQUIT']
  const { id, live } = await bench.running()
  const stop = (timeout: bigint) => bench.runtime.stopContainer({ containerId: id, timeout }, call)
  const both = [stop(30n), stop(5n)]
  await bench.clock.advance(4999)
  t.deepEqual(live.signals, ['SIGQUIT'])
  await bench.clock.advance(1)
  await Promise.all(both)
  t.deepEqual(live.signals, ['SIGQUIT', 'SIGKILL'])

  await using other = await Bench.open()
  other.host.runtime.ignored = ['SIGQUIT']
  const second = await other.running()
  const slow = other.runtime.stopContainer({ containerId: second.id, timeout: 30n }, call)
  await settle()
  await other.runtime.stopContainer({ containerId: second.id, timeout: 0n }, call)
  await slow
  t.deepEqual(second.live.signals, ['SIGQUIT', 'SIGKILL'])
})

test('a stop signal that could not be sent is sent by the next stop', async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running()
  const { kill } = live
  live.kill = () => Promise.reject(new KeelsonError('UNAVAILABLE', 'the monitor does not answer'))
  const stop = () => bench.runtime.stopContainer({ containerId: id, timeout: 10n }, call)
  await t.throwsAsync(stop(), { message: 'the monitor does not answer' })
  live.kill = kill
  await stop()
  t.deepEqual(live.signals, ['SIGQUIT'])
})

test('a caller that gives up does not stop the stopping', async (t) => {
  await using bench = await Bench.open()
  bench.host.runtime.ignored = ['SIGQUIT', 'SIGKILL']
  const { id, live } = await bench.running()
  const abort = new AbortController()
  const stopping = bench.runtime.stopContainer({ containerId: id, timeout: 0n }, { signal: abort.signal })
  await settle()
  abort.abort()
  t.like(await stopping.catch(asKeelsonError), { code: 'CANCELLED' })
  live.end(137)
  await eventually(
    'the status follows',
    async () => (await bench.status(id)).state === ContainerState.CONTAINER_EXITED,
  )
})

test('events come in the order of the commits, also of what nobody listened to', async (t) => {
  await using bench = await Bench.open()
  const { podId, id, live } = await bench.running()
  live.end(0)
  await eventually('the status follows', async () => (await bench.status(id)).reason !== '')
  await bench.runtime.removePodSandbox({ podSandboxId: podId }, call)
  const seen: string[] = []
  const abort = new AbortController()
  for await (const event of bench.runtime.getContainerEvents({}, { signal: abort.signal })) {
    const who = event.containerId === podId ? 'pod' : 'container'
    seen.push(`${who} ${ContainerEventType[event.containerEventType]}`)
    t.is(event.podSandboxStatus?.id, podId)
    if (seen.length === 8) abort.abort()
  }
  t.deepEqual(seen, [
    'pod CONTAINER_CREATED_EVENT',
    'pod CONTAINER_STARTED_EVENT',
    'container CONTAINER_CREATED_EVENT',
    'container CONTAINER_STARTED_EVENT',
    'container CONTAINER_STOPPED_EVENT',
    'pod CONTAINER_STOPPED_EVENT',
    'container CONTAINER_DELETED_EVENT',
    'pod CONTAINER_DELETED_EVENT',
  ])
})

test('lists: filters are ANDed, an id may be a prefix', async (t) => {
  await using bench = await Bench.open()
  const { runtime } = bench
  const labelled = podConfig('a', { labels: { app: 'x', tier: 'front' } })
  const { podSandboxId: a } = await runtime.runPodSandbox(runRequest(labelled), call)
  const b = await bench.pod('b')
  await runtime.stopPodSandbox({ podSandboxId: b }, call)
  const list = async (filter: object) => {
    const whole = { id: '', state: undefined, labelSelector: {}, ...filter }
    return (await runtime.listPodSandbox({ filter: whole }, call)).items.map(({ id }) => id)
  }
  t.deepEqual(await list({}), [a, b])
  t.deepEqual(await list({ id: a.slice(0, 12) }), [a])
  t.deepEqual(await list({ labelSelector: { app: 'x' } }), [a])
  t.deepEqual(await list({ labelSelector: { app: 'y' } }), [])
  t.deepEqual(await list({ state: { state: PodSandboxState.SANDBOX_NOTREADY } }), [b])
  t.deepEqual(await list({ id: a.slice(0, 12), state: { state: PodSandboxState.SANDBOX_NOTREADY } }), [])
  const container = await bench.container(a)
  const filter = { id: '', state: undefined, podSandboxId: a.slice(0, 13), labelSelector: {} }
  t.is((await runtime.listContainers({ filter }, call)).containers[0]?.id, container)
  t.is((await bench.status(container.slice(0, 12))).id, container)
})

test('create: a missing image, a missing mount source, a bad profile are said at once', async (t) => {
  await using bench = await Bench.open()
  const podId = await bench.pod()
  const mounts = [{ containerPath: '/x', hostPath: '/does/not/exist' }]
  const seccomp = { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: 'relative' }
  const refused = [
    [{ image: { image: 'absent' } }, 'NOT_FOUND', /not present/],
    [{ mounts }, 'INVALID_ARGUMENT', /does not exist/],
    [{ linux: { securityContext: { seccomp } } }, 'INVALID_ARGUMENT', /absolute/],
    [{ linux: { securityContext: { runAsGroup: { value: 1n } } } }, 'INVALID_ARGUMENT', /run_as_group/],
  ] as const
  for (const [more, code, message] of refused) {
    const error = await t.throwsAsync(bench.container(podId, more), { message })
    t.true(hasCode(error, code), String(error))
  }
  t.is(bench.host.images.prepared.size, 0)
  await bench.runtime.stopPodSandbox({ podSandboxId: podId }, call)
  const late = await t.throwsAsync(bench.container(podId), { message: /not ready/ })
  t.true(hasCode(late, 'FAILED_PRECONDITION'))
  const lost = await t.throwsAsync(bench.container('nope'))
  t.true(hasCode(lost, 'NOT_FOUND'))
})

test('restart: running ones are watched again, exits meanwhile recorded once, the lost are MonitorLost', async (t) => {
  await using bench = await Bench.open()
  const podId = await bench.pod()
  const ids: string[] = []
  for (const name of ['runs', 'ended', 'lost', 'created']) {
    const request = createRequest(podId, containerConfig(name))
    const { containerId } = await bench.runtime.createContainer(request, call)
    ids.push(containerId)
    if (name !== 'created') await bench.runtime.startContainer({ containerId }, call)
  }
  const [runs = '', ended = '', lost = '', created = ''] = ids
  await bench.service[Symbol.asyncDispose]()
  bench.host.runtime.container(ended).end(4)
  bench.host.runtime.containers.delete(lost)
  await bench.restart()
  await eventually('the status follows', async () => (await bench.status(ended)).reason === 'Error')
  t.is((await bench.status(runs)).state, ContainerState.CONTAINER_RUNNING)
  t.is((await bench.status(created)).state, ContainerState.CONTAINER_CREATED)
  t.deepEqual([(await bench.status(lost)).exitCode, (await bench.status(lost)).reason], [137, 'MonitorLost'])
  bench.host.runtime.container(runs).end(0)
  await eventually('the status follows', async () => (await bench.status(runs)).reason === 'Completed')
  t.is(await bench.pod(), podId)
})

test('restart: orphans are swept, a pod without its namespaces is NOTREADY', async (t) => {
  await using bench = await Bench.open()
  const { host } = bench
  const kept = await bench.pod('kept')
  const gone = await bench.pod('gone')
  host.pins.pinned.delete(gone)
  await host.pins.create({ id: 'orphan', network: true, ipc: true })
  host.network.leases.set('orphan', { addresses: [] })
  await host.images.snapshots.prepare('orphan', fakeImage.id)
  await host.runtime.create({
    id: 'orphan',
    spec: { ociVersion: '' },
    bundle: '/',
    life: { kind: 'monitored' },
  })
  await bench.restart()
  t.deepEqual(await host.pins.list(), [kept])
  t.deepEqual(host.network.list(), [kept])
  t.is(host.images.prepared.size + host.runtime.containers.size, 0)
  const { items } = await bench.runtime.listPodSandbox({ filter: undefined }, call)
  const state = (id: string) => items.find((one) => one.id === id)?.state
  t.is(state(kept), PodSandboxState.SANDBOX_READY)
  t.is(state(gone), PodSandboxState.SANDBOX_NOTREADY)
})

test('version, status, runtime config, images', async (t) => {
  await using bench = await Bench.open()
  const { runtime, image } = bench.service
  const version = await runtime.version({ version: '' }, call)
  t.true(Object.values(version).every((text) => text !== ''))
  t.is(version.runtimeVersion, '1.2.3')
  const { status, runtimeHandlers } = await runtime.status({ verbose: false }, call)
  t.deepEqual(
    status?.conditions.map(({ type, status: ready }) => [type, ready]),
    [
      ['RuntimeReady', true],
      ['NetworkReady', true],
    ],
  )
  t.deepEqual(
    runtimeHandlers.map(({ name }) => name),
    ['', 'keelson'],
  )
  const { images } = await image.listImages({ filter: undefined }, call)
  t.deepEqual([images[0]?.id, images[0]?.username, images[0]?.size], [fakeImage.id, 'web', 1234n])
  const spec = { image: 'absent', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' }
  t.is((await image.imageStatus({ image: spec, verbose: false }, call)).image, undefined)
  await t.notThrowsAsync(image.removeImage({ image: spec }, call))
})

test('image volumes: layers are kept for the sandbox, also by the next process, and go with it', async (t) => {
  await using bench = await Bench.open()
  const { host } = bench
  const podId = await bench.pod()
  const image = { image: 'nginx:1.7.9' }
  const mounts = [{ containerPath: '/v/', readonly: true, image, imageSubPath: 'etc/passwd' }]
  const ids = [
    await bench.container(podId, { mounts }),
    await bench.container(podId, { mounts, metadata: { name: 'b' } }),
  ]
  t.is(host.images.prepared.size, 3)
  const [status] = (await bench.status(ids[0] ?? '')).mounts
  t.deepEqual([status?.image?.image, status?.image?.imageRef], [fakeImage.id, fakeImage.id])
  await bench.restart()
  t.is(host.images.prepared.size, 3)
  await bench.runtime.startContainer({ containerId: ids[1] ?? '' }, call)
  t.deepEqual(host.runtime.requests[0]?.layerMounts, { '/v': { lower: ['/l'], path: 'etc/passwd' } })
  await bench.runtime.removePodSandbox({ podSandboxId: podId }, call)
  t.is(host.images.prepared.size, 0)
  await t.throwsAsync(
    bench.container(await bench.pod(), { mounts: [{ ...mounts[0], imageSubPath: 'no' }] }),
    {
      message: /^ImageVolumeMountFailed/,
    },
  )
})
