/** Scenarios of hooks, sidecars, grace periods, image policies, live updates and lost event streams. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import * as cri from '../../cri/types.ts'
import { resources } from '../../src/api/index.ts'
import { Scene, statusOf } from '../support/kubelet-scene.ts'

const nginx = { name: 'nginx', image: 'nginx:1.7.9' }

async function scene(t: Parameters<typeof Scene.open>[0]): Promise<Scene> {
  const opened = await Scene.open(t)
  for (const image of ['nginx:1.7.9', 'a:1', 'b:1']) opened.cri.images.add(image)
  return opened
}

const first = async (opened: Scene, name = 'web') => (await opened.pod(name)).status?.containerStatuses?.[0]

test('postStart: Ready waits for it, the next container too', async (t) => {
  const opened = await scene(t)
  let finish = () => {}
  const hook = new Promise<void>((resolve) => {
    finish = resolve
  })
  Object.assign(opened.cri.runtime, {
    execSync: async () => {
      await hook
      return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
    },
  })
  const lifecycle = { postStart: { exec: { command: ['warm'] } } }
  await opened.create('web', {
    containers: [
      { ...nginx, lifecycle },
      { name: 'second', image: 'a:1' },
    ],
  })
  t.is(opened.cri.runs('second').length, 0)
  t.false((await first(opened))?.ready)
  finish()
  await opened.rest()
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'True')
  t.is(opened.cri.runs('second').length, 1)
})

test('postStart that fails: the container goes and is restarted', async (t) => {
  const opened = await scene(t)
  let code = 7
  opened.cri.exec = () => code
  await opened.create('web', {
    containers: [{ ...nginx, lifecycle: { postStart: { exec: { command: ['warm'] } } } }],
  })
  t.true((await opened.eventReasons()).includes('FailedPostStartHook'))
  code = 0
  await opened.advance(10_000)
  t.true(((await first(opened))?.restartCount ?? 0) >= 1)
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'True')
})

test('preStop runs before the signal and spends of the grace period', async (t) => {
  const opened = await scene(t)
  const order: string[] = []
  opened.cri.exec = (command) => {
    order.push(command, ...opened.cri.calls.filter((one) => one.startsWith('stop')))
    return 0
  }
  await opened.create('web', {
    containers: [{ ...nginx, lifecycle: { preStop: { exec: { command: ['drain'] } } } }],
  })
  await opened.remove('web', 20)
  t.deepEqual(order, ['drain'])
  t.true(opened.cri.calls.includes('stopContainer nginx 20'))

  await opened.create('slow', {
    containers: [{ ...nginx, lifecycle: { preStop: { sleep: { seconds: 15 } } } }],
  })
  await opened.remove('slow', 20)
  t.is(opened.cri.calls.filter((one) => one.startsWith('stopContainer')).length, 1)
  await opened.advance(15_000)
  t.is(opened.cri.calls.filter((one) => one.startsWith('stopContainer')).at(-1), 'stopContainer nginx 5')
  t.is(await opened.find('slow'), undefined)
})

test('a preStop that never ends gets the grace period, the container two seconds more', async (t) => {
  const opened = await scene(t)
  await opened.create('web', {
    containers: [{ ...nginx, lifecycle: { preStop: { sleep: { seconds: 3600 } } } }],
  })
  await opened.remove('web', 10)
  await opened.advance(10_000)
  t.true(opened.cri.calls.includes('stopContainer nginx 2'))
  t.true((await opened.eventReasons()).includes('FailedPreStopHook'))
})

test('sidecars start first, outlive the others and go last, in reverse', async (t) => {
  const opened = await scene(t)
  await opened.create('web', {
    initContainers: [
      { name: 'one', image: 'a:1', restartPolicy: 'Always' },
      { name: 'two', image: 'b:1', restartPolicy: 'Always' },
    ],
    containers: [nginx],
  })
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'True')
  t.true((await opened.pod('web')).status?.initContainerStatuses?.every(({ ready }) => ready))
  await opened.remove('web')
  const order = opened.cri.calls
    .filter((one) => /^(start|stop)Container/.test(one))
    .map((one) => one.split(' ')[1])
  t.deepEqual(order, ['one', 'two', 'nginx', 'nginx', 'two', 'one'])
  t.is(await opened.find('web'), undefined)
})

test('a job ends although its sidecar runs', async (t) => {
  const opened = await scene(t)
  opened.cri.programs.set('job', { exit: 0 })
  await opened.create('work', {
    restartPolicy: 'Never',
    initContainers: [{ name: 'side', image: 'a:1', restartPolicy: 'Always' }],
    containers: [{ name: 'job', image: 'b:1' }],
  })
  t.is((await opened.pod('work')).status?.phase, 'Succeeded')
  t.is(opened.cri.runs('side').at(-1)?.state, cri.ContainerState.CONTAINER_EXITED)
})

test('pull policies: Always pulls what is there, Never does not pull what is not', async (t) => {
  const opened = await scene(t)
  opened.cri.registry.add('nginx:1.7.9')
  await opened.create('always', { containers: [{ ...nginx, imagePullPolicy: 'Always' }] })
  t.is(opened.cri.calls.filter((one) => one.startsWith('pullImage')).length, 1)
  t.is((await opened.pod('always')).status?.phase, 'Running')
  await opened.create('latest', { containers: [{ name: 'c', image: 'a' }] })
  t.is(opened.cri.calls.filter((one) => one === 'pullImage a').length, 1, 'no tag means latest means Always')
  await opened.create('never', { containers: [{ name: 'c', image: 'gone:1', imagePullPolicy: 'Never' }] })
  t.is((await first(opened, 'never'))?.state?.waiting?.reason, 'ErrImageNeverPull')
  t.false(opened.cri.calls.includes('pullImage gone:1'))
})

test('pods that want the same image share one pull', async (t) => {
  const opened = await scene(t)
  let finish = () => {}
  const arrived = new Promise<void>((resolve) => {
    finish = resolve
  })
  let pulls = 0
  Object.assign(opened.cri.image, {
    pullImage: async () => {
      pulls++
      await arrived
      opened.cri.images.add('big:1')
      return { imageRef: 'sha256:big:1' }
    },
  })
  for (const name of ['one', 'two', 'three'])
    await opened.create(name, { containers: [{ name: 'c', image: 'big:1' }] })
  t.is((await first(opened, 'one'))?.state?.waiting?.reason, 'ContainerCreating')
  finish()
  await opened.rest()
  t.is(pulls, 1)
  for (const name of ['one', 'two', 'three']) t.is((await opened.pod(name)).status?.phase, 'Running')
})

test('a pod deleted while its image is pulled goes at once', async (t) => {
  const opened = await scene(t)
  Object.assign(opened.cri.image, { pullImage: () => new Promise(() => undefined) })
  await opened.create('web', { containers: [{ name: 'c', image: 'big:1' }] })
  await opened.remove('web')
  t.is(await opened.find('web'), undefined)
  t.is(opened.cri.sandboxes.size, 0)
})

test('a ConfigMap that changes is shown in the volume; one that goes leaves the files', async (t) => {
  const opened = await scene(t)
  const ref = { namespace: 'default', name: 'settings' }
  const configMap = { metadata: ref, data: { colour: 'green' } }
  await opened.create('web', {
    volumes: [{ name: 'conf', configMap: { name: 'settings' } }],
    containers: [{ ...nginx, volumeMounts: [{ name: 'conf', mountPath: '/conf' }] }],
  })
  t.is((await opened.pod('web')).status?.phase, 'Pending')
  t.true((await opened.eventReasons()).includes('FailedMount'))
  await opened.api.client.create(resources.configmaps, configMap)
  await opened.rest()
  t.is((await opened.pod('web')).status?.phase, 'Running')
  const mount = opened.cri
    .running('nginx')
    .config.mounts.find(({ containerPath }) => containerPath === '/conf')
  const file = join(mount?.hostPath ?? '', 'colour')
  t.is(await readFile(file, 'utf8'), 'green')
  const patch = { data: { colour: 'red' } }
  await opened.api.client.patch(resources.configmaps, ref, { type: 'merge', patch })
  await opened.rest()
  t.is(await readFile(file, 'utf8'), 'red')
  await opened.api.client.delete(resources.configmaps, ref)
  await opened.rest()
  t.is(await readFile(file, 'utf8'), 'red')
  opened.cri.exit(opened.cri.running('nginx').id, 1)
  await opened.rest()
  t.is((await first(opened))?.restartCount, 1, 'still restarted')
})

test('a startup probe holds the other probes back', async (t) => {
  const opened = await scene(t)
  const asked: string[] = []
  let up = false
  opened.cri.exec = (command) => {
    asked.push(command)
    return command === 'up' && !up ? 1 : 0
  }
  await opened.create('web', {
    containers: [
      {
        ...nginx,
        startupProbe: { exec: { command: ['up'] }, periodSeconds: 1, failureThreshold: 30 },
        livenessProbe: { exec: { command: ['alive'] } },
        readinessProbe: { exec: { command: ['ready'] }, initialDelaySeconds: 2 },
      },
    ],
  })
  await opened.advance(4000)
  t.deepEqual([...new Set(asked)], ['up'])
  t.like(await first(opened), { started: false, ready: false })
  up = true
  await opened.advance(1000)
  t.deepEqual([...new Set(asked)].sort(), ['alive', 'ready', 'up'])
  t.like(await first(opened), { started: true, ready: true })
})

test('after a restart of the kubelet a ready container stays ready while it is asked again', async (t) => {
  const opened = await scene(t)
  const readinessProbe = { exec: { command: ['ready'] }, initialDelaySeconds: 60 }
  await opened.create('web', { containers: [{ ...nginx, readinessProbe }] })
  await opened.advance(60_000)
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'True')
  const since = (await opened.pod('web')).status?.conditions?.find(({ type }) => type === 'Ready')
  await opened.stop()
  Object.assign(opened.cri.runtime, { execSync: () => new Promise(() => undefined) })
  await opened.start()
  t.deepEqual(
    (await opened.pod('web')).status?.conditions?.find(({ type }) => type === 'Ready'),
    since,
  )
})

test('an event stream that ends is opened again, and what happened meanwhile is found', async (t) => {
  const opened = await scene(t)
  await opened.create('web', { containers: [nginx] })
  const { getContainerEvents } = opened.cri.runtime
  await opened.stop()
  let broken = 0
  Object.assign(opened.cri.runtime, {
    getContainerEvents: async function* () {
      broken++
      if (broken < 3) throw new Error('connection lost')
      yield* getContainerEvents({}, { signal: new AbortController().signal })
    },
  })
  await opened.start()
  opened.cri.exit(opened.cri.running('nginx').id, 1)
  await opened.rest()
  t.is((await first(opened))?.restartCount, 0)
  for (let tries = 0; tries < 3; tries++) await opened.advance(1000)
  t.is((await first(opened))?.restartCount, 1)
  t.is(broken, 3)
  opened.cri.exit(opened.cri.running('nginx').id, 1)
  await opened.rest()
  t.is((await first(opened))?.state?.waiting?.reason, 'CrashLoopBackOff', 'events are heard again')
})

test('a stop that the runtime refuses is tried again, but not in a hurry', async (t) => {
  const opened = await scene(t)
  await opened.create('web', { containers: [nginx] })
  opened.cri.refuse = (verb) => (verb === 'stopContainer' ? 'busy' : undefined)
  await opened.remove('web')
  const stops = () => opened.cri.calls.filter((one) => one.startsWith('stopContainer')).length
  t.is(stops(), 1)
  await opened.advance(3000)
  t.true(stops() >= 3 && stops() <= 5)
  opened.cri.refuse = undefined
  await opened.advance(1000)
  t.is(await opened.find('web'), undefined)
})

test('a sandbox that cannot be made: an event, a back-off, then it is made', async (t) => {
  const opened = await scene(t)
  opened.cri.refuse = (verb) => (verb === 'runPodSandbox' ? 'no network' : undefined)
  await opened.create('web', { containers: [nginx] })
  t.is((await opened.pod('web')).status?.phase, 'Pending')
  t.is((await first(opened))?.state?.waiting?.reason, 'ContainerCreating')
  t.true((await opened.eventReasons()).includes('FailedCreatePodSandBox'))
  t.is(opened.cri.calls.filter((one) => one.startsWith('run')).length, 1)
  opened.cri.refuse = undefined
  await opened.advance(10_000)
  t.is((await opened.pod('web')).status?.phase, 'Running')
})

test('a conflict on the status is settled, and what others wrote stays', async (t) => {
  const opened = await scene(t)
  await opened.create('web', { containers: [nginx], readinessGates: [{ conditionType: 'example.org/gate' }] })
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'False')
  t.is(statusOf(await opened.pod('web'), 'ContainersReady'), 'True')
  const pod = await opened.pod('web')
  const conditions = [...(pod.status?.conditions ?? []), { type: 'example.org/gate', status: 'True' }]
  await opened.api.client.replaceStatus(resources.pods, { ...pod, status: { ...pod.status, conditions } })
  await opened.rest()
  t.is(statusOf(await opened.pod('web'), 'Ready'), 'True')
  t.is(statusOf(await opened.pod('web'), 'example.org/gate'), 'True')
  let conflicts = 2
  opened.api.refuse = ({ method, path }) =>
    method === 'PUT' && path.endsWith('/pods/web/status') && conflicts-- > 0
      ? { code: 409, reason: 'Conflict', message: 'modified' }
      : undefined
  opened.cri.exit(opened.cri.running('nginx').id, 1)
  await opened.rest()
  t.is((await first(opened))?.restartCount, 1)
  t.is(statusOf(await opened.pod('web'), 'example.org/gate'), 'True')
})

test('an API server that is away: containers are kept running, the status follows later', async (t) => {
  const opened = await scene(t)
  await opened.create('web', { containers: [nginx] })
  opened.api.refuse = () => ({ code: 503, reason: 'ServiceUnavailable', message: 'away' })
  opened.cri.exit(opened.cri.running('nginx').id, 1)
  await opened.advance(1000)
  t.is(opened.cri.running('nginx').config.metadata?.attempt, 1)
  opened.api.refuse = undefined
  await opened.advance(10_000)
  t.is((await first(opened))?.restartCount, 1)
})

test('a namesake that follows a deleted pod is a pod of its own', async (t) => {
  const opened = await scene(t)
  await opened.create('web', { containers: [nginx] })
  const before = (await opened.pod('web')).metadata.uid
  await opened.remove('web', 0)
  await opened.create('web', { containers: [nginx] })
  const after = await opened.pod('web')
  t.not(after.metadata.uid, before)
  t.is(after.status?.phase, 'Running')
  t.is(after.status?.containerStatuses?.[0]?.restartCount, 0)
  t.is(opened.cri.sandboxes.size, 1)
})
