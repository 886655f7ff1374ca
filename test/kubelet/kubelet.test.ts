/** Scenarios: what the API server and the runtime see of a kubelet when pods come, fail, change and go. */
import test from 'ava'
import { resources } from '../../src/api/index.ts'
import { KeelsonError } from '../../src/base/index.ts'
import { Scene, statusOf } from '../support/kubelet-scene.ts'

const nginx = { name: 'nginx', image: 'nginx:1.7.9' }

test('create: the pod is Running and Ready, its address and times known', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [{ ...nginx, ports: [{ containerPort: 80 }] }] })
  const { status } = await scene.pod('web')
  t.is(status?.phase, 'Running')
  t.like(status?.containerStatuses?.[0], { name: 'nginx', ready: true, started: true, restartCount: 0 })
  t.regex(status?.podIP ?? '', /^10\.42\.0\.\d+$/)
  t.is(status?.hostIP, '192.0.2.1')
  t.is(status?.qosClass, 'BestEffort')
  for (const type of ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'])
    t.is(statusOf(await scene.pod('web'), type), 'True', type)
  t.deepEqual(scene.cri.calls, ['runPodSandbox web', 'createContainer nginx', 'startContainer nginx'])
  t.deepEqual(await scene.eventReasons(), ['Pulled', 'Created', 'Started'])
})

test('an image-present pod costs one status write', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  const writes = scene.api.requests.filter(
    ({ method, path }) => method === 'PUT' && path.endsWith('/pods/web/status'),
  )
  t.is(writes.length, 1)
})

test('crash: restarts at once, then with a back-off that doubles', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  scene.cri.exit(scene.cri.running('nginx').id, 1)
  await scene.rest()
  const restarted = (await scene.pod('web')).status?.containerStatuses?.[0]
  t.is(restarted?.restartCount, 1)
  t.like(restarted?.lastState?.terminated, { exitCode: 1, reason: 'Error' })
  t.truthy(restarted?.state?.running)

  scene.cri.exit(scene.cri.running('nginx').id, 1)
  await scene.rest()
  const waiting = (await scene.pod('web')).status
  t.is(waiting?.containerStatuses?.[0]?.state?.waiting?.reason, 'CrashLoopBackOff')
  t.regex(waiting?.containerStatuses?.[0]?.state?.waiting?.message ?? '', /^back-off 10s restarting/)
  t.is(waiting?.phase, 'Running')
  t.is(statusOf(await scene.pod('web'), 'Ready'), 'False')

  await scene.advance(9000)
  t.is(scene.cri.runs('nginx').length, 2)
  await scene.advance(1000)
  t.truthy((await scene.pod('web')).status?.containerStatuses?.[0]?.state?.running)
  t.is((await scene.pod('web')).status?.containerStatuses?.[0]?.restartCount, 2)
  t.is(scene.cri.runs('nginx').length, 2, 'of the ended runs only the newest is kept')

  scene.cri.exit(scene.cri.running('nginx').id, 1)
  await scene.rest()
  const { message } = (await scene.pod('web')).status?.containerStatuses?.[0]?.state?.waiting ?? {}
  t.regex(message ?? '', /^back-off 20s/)
})

test('a missing image: ErrImagePull, then ImagePullBackOff, and the others are unharmed', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  await scene.create('bad', { containers: [{ name: 'x', image: 'nowhere:1' }] })
  const reason = async () => (await scene.pod('bad')).status?.containerStatuses?.[0]?.state?.waiting?.reason
  t.is(await reason(), 'ErrImagePull')
  await scene.advance(1000)
  t.is(await reason(), 'ImagePullBackOff')
  t.is((await scene.pod('bad')).status?.phase, 'Pending')
  t.is(statusOf(await scene.pod('web'), 'Ready'), 'True')
  const reasons = await scene.eventReasons()
  for (const one of ['Pulling', 'Failed', 'BackOff']) t.true(reasons.includes(one), one)

  scene.cri.registry.add('nowhere:1')
  await scene.advance(10_000)
  t.is((await scene.pod('bad')).status?.phase, 'Running')
})

test('a name that is none is shown as that, an absent registry too, and neither as a failed pull', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.pullFailures.set('BAD', new KeelsonError('INVALID_ARGUMENT', '"BAD" is not an image name'))
  scene.cri.pullFailures.set('down:1', new KeelsonError('UNAVAILABLE', 'registry down does not answer'))
  await scene.create('misnamed', { containers: [{ name: 'x', image: 'BAD' }] })
  await scene.create('down', { containers: [{ name: 'x', image: 'down:1' }] })
  const reason = async (name: string) =>
    (await scene.pod(name)).status?.containerStatuses?.[0]?.state?.waiting?.reason
  t.is(await reason('misnamed'), 'InvalidImageName')
  t.is(await reason('down'), 'RegistryUnavailable')
  await scene.advance(1000)
  t.is(await reason('misnamed'), 'InvalidImageName')
  t.is(await reason('down'), 'ImagePullBackOff')
  t.true((await scene.eventReasons()).includes('InspectFailed'))
})

test('delete: the containers get their grace period, then the object is gone and nothing is left', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  scene.cri.programs.set('nginx', { ignoresStop: true })
  await scene.create('web', { containers: [nginx] })
  await scene.remove('web', 20)
  t.true(scene.cri.calls.includes('stopContainer nginx 20'))
  t.truthy((await scene.pod('web')).status?.containerStatuses?.[0]?.state?.running)
  await scene.advance(19_000)
  t.truthy(await scene.find('web'))
  await scene.advance(1000)
  t.is(await scene.find('web'), undefined)
  t.is(scene.cri.sandboxes.size, 0)
  t.is(scene.cri.containers.size, 0)
})

test('delete: the last status says how the containers ended', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  const seen: string[] = []
  const watching = new AbortController()
  void (async () => {
    for await (const { object } of scene.api.client.watch(resources.pods, { signal: watching.signal }))
      if ('status' in object) seen.push(JSON.stringify(object.status))
  })().catch(() => undefined)
  await scene.remove('web')
  watching.abort()
  t.is(await scene.find('web'), undefined)
  const last = JSON.parse(seen.at(-1) ?? '{}')
  t.is(last.phase, 'Failed')
  t.is(last.containerStatuses[0].state.terminated.exitCode, 143)
})

test('a forced deletion kills at once', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  scene.cri.programs.set('nginx', { ignoresStop: true })
  await scene.create('web', { containers: [nginx] })
  await scene.remove('web')
  await scene.remove('web', 0)
  await scene.advance(1000)
  t.is(scene.cri.sandboxes.size, 0)
})

test('a kubelet that starts anew adopts what runs and kills what is gone', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  await scene.create('old', { containers: [nginx] })
  const before = [...scene.cri.containers.keys()]
  await scene.stop()
  t.is([...scene.cri.containers.values()].filter(({ state }) => state === 1).length, 2, 'pods go on running')
  await scene.api.client.delete(
    resources.pods,
    { namespace: 'default', name: 'old' },
    { gracePeriodSeconds: 0 },
  )
  scene.cri.calls.length = 0
  await scene.start()
  t.deepEqual([...scene.cri.containers.keys()], before.slice(0, 1))
  t.false(scene.cri.calls.some((call) => call.startsWith('createContainer')))
  t.is(statusOf(await scene.pod('web'), 'Ready'), 'True')
  t.is((await scene.pod('web')).status?.containerStatuses?.[0]?.restartCount, 0)
})

test('a sandbox that dies is replaced, and the container restarted in it', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', { containers: [nginx] })
  const [first] = scene.cri.sandboxes.keys()
  scene.cri.killSandbox(first ?? '')
  await scene.rest()
  const { status } = await scene.pod('web')
  t.is(status?.phase, 'Running')
  t.is(status?.containerStatuses?.[0]?.restartCount, 1)
  const current = [...scene.cri.sandboxes.values()].find(({ ready }) => ready)
  t.is(current?.config.metadata?.attempt, 1)
  t.is(status?.podIP, current?.ip)
})

test('init containers run in order and once; the pod waits for them', async (t) => {
  const scene = await Scene.open(t)
  for (const image of ['a:1', 'b:1', 'nginx:1.7.9']) scene.cri.images.add(image)
  scene.cri.programs.set('first', { exit: 0 })
  await scene.create('web', {
    initContainers: [
      { name: 'first', image: 'a:1' },
      { name: 'second', image: 'b:1' },
    ],
    containers: [nginx],
  })
  const pending = await scene.pod('web')
  t.is(pending.status?.phase, 'Pending')
  t.is(statusOf(pending, 'Initialized'), 'False')
  t.is(pending.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing')
  scene.cri.exit(scene.cri.running('second').id, 0)
  await scene.rest()
  t.is((await scene.pod('web')).status?.phase, 'Running')
  t.deepEqual(
    scene.cri.calls.filter((call) => call.startsWith('start')),
    ['startContainer first', 'startContainer second', 'startContainer nginx'],
  )
})

test('restartPolicy Never: the pod ends as its containers do, keeps them, and loses its sandbox', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('job:1')
  scene.cri.programs.set('job', { exit: 3 })
  await scene.create('failing', { restartPolicy: 'Never', containers: [{ name: 'job', image: 'job:1' }] })
  scene.cri.programs.set('job', { exit: 0 })
  await scene.create('well', { restartPolicy: 'OnFailure', containers: [{ name: 'job', image: 'job:1' }] })
  t.is((await scene.pod('failing')).status?.phase, 'Failed')
  t.is((await scene.pod('failing')).status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 3)
  t.is((await scene.pod('well')).status?.phase, 'Succeeded')
  t.is(scene.cri.containers.size, 2)
  t.true([...scene.cri.sandboxes.values()].every(({ ready }) => !ready))
})

test('a missing ConfigMap is CreateContainerConfigError until it appears', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('web', {
    containers: [{ ...nginx, envFrom: [{ configMapRef: { name: 'settings' } }] }],
  })
  const waiting = (await scene.pod('web')).status?.containerStatuses?.[0]?.state?.waiting
  t.deepEqual(waiting, { reason: 'CreateContainerConfigError', message: 'configmap "settings" not found' })
  await scene.api.client.create(resources.configmaps, {
    metadata: { name: 'settings', namespace: 'default' },
    data: { COLOUR: 'green' },
  })
  await scene.rest()
  t.is((await scene.pod('web')).status?.phase, 'Running')
  const { envs } = scene.cri.running('nginx').config
  t.is(envs.find(({ key }) => key === 'COLOUR')?.value.toString(), 'green')
})

test('a program that cannot be started: RunContainerError, then CrashLoopBackOff', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  scene.cri.programs.set('nginx', { startError: 'exec: "/nope": no such file' })
  await scene.create('web', { containers: [nginx] })
  const [status] = (await scene.pod('web')).status?.containerStatuses ?? []
  t.is(status?.state?.waiting?.reason, 'CrashLoopBackOff')
  t.like(status?.lastState?.terminated, { exitCode: 128, message: 'exec: "/nope": no such file' })
})

test('a readiness probe decides about Ready; a liveness probe that fails restarts', async (t) => {
  const scene = await Scene.open(t)
  scene.cri.images.add('nginx:1.7.9')
  let ready = 1
  let alive = 0
  scene.cri.exec = (command) => (command === 'ready' ? ready : alive)
  await scene.create('web', {
    containers: [
      {
        ...nginx,
        readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 5 },
        livenessProbe: { exec: { command: ['alive'] }, periodSeconds: 5, failureThreshold: 2 },
      },
    ],
  })
  t.is(statusOf(await scene.pod('web'), 'Ready'), 'False')
  ready = 0
  await scene.advance(5000)
  t.is(statusOf(await scene.pod('web'), 'Ready'), 'True')
  alive = 1
  await scene.advance(5000)
  t.is((await scene.pod('web')).status?.containerStatuses?.[0]?.restartCount, 0)
  await scene.advance(5000)
  alive = 0
  await scene.rest()
  t.is((await scene.pod('web')).status?.containerStatuses?.[0]?.restartCount, 1)
  t.true((await scene.eventReasons()).includes('Unhealthy'))
})

test('the node is registered, reported and leased; a stop leaves it NotReady', async (t) => {
  const scene = await Scene.open(t)
  const node = await scene.api.client.get(resources.nodes, { name: 'n1' })
  t.is(node.metadata.labels?.['kubernetes.io/hostname'], 'n1')
  t.is(node.status?.capacity?.['pods'], '110')
  t.like(node.status?.nodeInfo, { operatingSystem: 'linux', containerRuntimeVersion: 'fake://1.0.0' })
  t.is(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
  t.is(node.status?.daemonEndpoints?.kubeletEndpoint?.Port, scene.kubelet?.port)
  const lease = () => scene.api.client.get(resources.leases, { namespace: 'kube-node-lease', name: 'n1' })
  const first = (await lease()).spec?.renewTime
  await scene.advance(10_000)
  t.not((await lease()).spec?.renewTime, first)
  scene.cri.networkReady = false
  await scene.advance(10_000)
  const ready = async () =>
    (await scene.api.client.get(resources.nodes, { name: 'n1' })).status?.conditions?.find(
      ({ type }) => type === 'Ready',
    )
  t.is((await ready())?.status, 'False')
  scene.cri.networkReady = true
  await scene.advance(10_000)
  t.is((await ready())?.status, 'True')
  await scene.stop()
  t.is((await ready())?.status, 'False')
})

test('a pod beyond maxPods is failed, not run', async (t) => {
  const scene = await Scene.open(t, { maxPods: 1 })
  scene.cri.images.add('nginx:1.7.9')
  await scene.create('one', { containers: [nginx] })
  await scene.create('two', { containers: [nginx] })
  t.like((await scene.pod('two')).status, { phase: 'Failed', reason: 'OutOfpods' })
  t.is((await scene.pod('one')).status?.phase, 'Running')
})
