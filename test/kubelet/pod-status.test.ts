import test from 'ava'
import * as cri from '../../cri/types.ts'
import type { Container, Pod, PodSpec } from '../../src/api/index.ts'
import type { ContainerRun, PodRuntime } from '../../src/kubelet/pod-runtime.ts'
import { podStatus, type StatusFacts } from '../../src/kubelet/pod-status.ts'

const { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED } = cri.ContainerState
const second = 1_000_000_000n

function pod(spec: Partial<PodSpec>, status: Pod['status'] = {}): Pod {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', generation: 3 },
    spec: { containers: [], ...spec },
    status,
  }
}

function run(
  name: string,
  state: cri.ContainerState,
  more: Partial<cri.ContainerStatus> = {},
  attempt = 0,
): ContainerRun {
  const status = {
    ...cri.ContainerStatus.fromPartial({
      id: `${name}${attempt}`,
      state,
      createdAt: second,
      startedAt: state === CONTAINER_CREATED ? 0n : 2n * second,
      finishedAt: state === CONTAINER_EXITED ? 3n * second : 0n,
      imageRef: 'sha256:abc',
    }),
    ...more,
  }
  return { id: status.id, name, attempt, sandboxId: 's', state, status }
}

function have(...containers: ContainerRun[]): PodRuntime {
  return {
    sandboxes: [{ id: 's', attempt: 0, ready: true, createdAtNs: 0n, ips: ['10.42.0.5'] }],
    containers,
  }
}

function status(wanted: Pod, runtime: PodRuntime, more: Partial<StatusFacts> = {}) {
  return podStatus(wanted, runtime, {
    nowMs: Date.UTC(2026, 0, 1),
    hostIPs: ['192.0.2.1'],
    runtimeName: 'keelson',
    ended: false,
    waiting: new Map(),
    started: () => true,
    ready: () => true,
    startFailed: () => false,
    message: () => undefined,
    ...more,
  })
}

const a: Container = { name: 'a', image: 'a:1' }
const b: Container = { name: 'b', image: 'b:1' }
const condition = (made: ReturnType<typeof status>, type: string) =>
  made.conditions?.find((one) => one.type === type)

test('a container: running, ready, its image and id', (t) => {
  const made = status(pod({ containers: [a] }), have(run('a', CONTAINER_RUNNING)))
  t.deepEqual(made.containerStatuses, [
    {
      name: 'a',
      state: { running: { startedAt: '1970-01-01T00:00:02Z' } },
      lastState: {},
      ready: true,
      started: true,
      restartCount: 0,
      image: 'a:1',
      imageID: 'sha256:abc',
      containerID: 'keelson://a0',
    },
  ])
  t.is(made.observedGeneration, 3)
})

test('a container that ended: code, reason, times, last words', (t) => {
  const made = status(
    pod({ containers: [a] }),
    have(run('a', CONTAINER_EXITED, { exitCode: 137, reason: 'OOMKilled' })),
    {
      message: () => 'goodbye',
    },
  )
  t.deepEqual(made.containerStatuses?.[0]?.state?.terminated, {
    exitCode: 137,
    reason: 'OOMKilled',
    message: 'goodbye',
    startedAt: '1970-01-01T00:00:02Z',
    finishedAt: '1970-01-01T00:00:03Z',
    containerID: 'keelson://a0',
  })
  t.false(made.containerStatuses?.[0]?.ready)
})

test('a container that waits shows why, and its last end beside it', (t) => {
  const waiting = new Map([['a', { reason: 'CrashLoopBackOff', message: 'm' }]])
  const ended = have(
    run('a', CONTAINER_EXITED, { exitCode: 1 }, 2),
    run('a', CONTAINER_EXITED, { exitCode: 5 }, 1),
  )
  const [shown] = status(pod({ containers: [a] }), ended, { waiting }).containerStatuses ?? []
  t.deepEqual(shown?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'm' } })
  t.is(shown?.lastState?.terminated?.exitCode, 1)
  t.is(shown?.restartCount, 2)
  const again = have(run('a', CONTAINER_RUNNING, {}, 3), run('a', CONTAINER_EXITED, { exitCode: 1 }, 2))
  t.is(status(pod({ containers: [a] }), again).containerStatuses?.[0]?.lastState?.terminated?.exitCode, 1)
})

test('phases', (t) => {
  const phase = (restartPolicy: PodSpec['restartPolicy'], ...runs: ContainerRun[]) =>
    status(pod({ containers: [a, b], restartPolicy }), have(...runs)).phase
  const ended = (name: string, exitCode: number) => run(name, CONTAINER_EXITED, { exitCode })
  t.is(phase('Always'), 'Pending')
  t.is(phase('Always', run('a', CONTAINER_RUNNING)), 'Pending')
  t.is(phase('Always', run('a', CONTAINER_RUNNING), run('b', CONTAINER_RUNNING)), 'Running')
  t.is(phase('Always', ended('a', 1), ended('b', 0)), 'Running')
  t.is(phase('OnFailure', ended('a', 1), ended('b', 0)), 'Running')
  t.is(phase('OnFailure', ended('a', 0), ended('b', 0)), 'Succeeded')
  t.is(phase('Never', ended('a', 1), ended('b', 0)), 'Failed')
  t.is(phase('Never', ended('a', 1), run('b', CONTAINER_RUNNING)), 'Running')
  t.is(phase('Never', ended('a', 0), ended('b', 0)), 'Succeeded')
})

test('init containers: Pending until they are through, Failed when one failed for good', (t) => {
  const wanted = (restartPolicy: PodSpec['restartPolicy']) =>
    pod({ initContainers: [a], containers: [b], restartPolicy })
  const made = status(wanted('Always'), have(run('a', CONTAINER_RUNNING)))
  t.is(made.phase, 'Pending')
  t.is(made.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing')
  t.like(condition(made, 'Initialized'), { status: 'False', reason: 'ContainersNotInitialized' })
  t.regex(condition(made, 'Initialized')?.message ?? '', /\[a\]/)
  const failed = have(run('a', CONTAINER_EXITED, { exitCode: 1 }))
  t.is(status(wanted('Never'), failed).phase, 'Failed')
  t.is(status(wanted('Always'), failed).phase, 'Pending')
  t.true(status(wanted('Always'), have(run('a', CONTAINER_EXITED))).initContainerStatuses?.[0]?.ready)
})

test('a pod that was ended by deletion is Succeeded or Failed, also if something never ran', (t) => {
  const ended = (exitCode: number) =>
    status(pod({ containers: [a] }), have(run('a', CONTAINER_EXITED, { exitCode })), { ended: true }).phase
  t.is(ended(0), 'Succeeded')
  t.is(ended(143), 'Failed')
  const never = status(pod({ containers: [a] }), have(), { ended: true })
  t.is(never.phase, 'Failed')
  t.is(never.containerStatuses?.[0]?.state?.terminated?.reason, 'ContainerStatusUnknown')
})

test('a terminal phase is never left', (t) => {
  const over = pod({ containers: [a] }, { phase: 'Succeeded' })
  t.is(status(over, have(run('a', CONTAINER_RUNNING))).phase, 'Succeeded')
})

test('conditions: times move only with the status; those of others stay', (t) => {
  const foreign = { type: 'example.org/gate', status: 'True' }
  const before = { type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' }
  const wanted = pod(
    { containers: [a], readinessGates: [{ conditionType: 'example.org/gate' }] },
    { conditions: [before, foreign] },
  )
  const made = status(wanted, have(run('a', CONTAINER_RUNNING)))
  t.is(condition(made, 'Ready')?.lastTransitionTime, '2020-01-01T00:00:00Z')
  t.is(condition(made, 'ContainersReady')?.lastTransitionTime, '2026-01-01T00:00:00Z')
  t.deepEqual(condition(made, 'example.org/gate'), foreign)
})

test('a closed readiness gate holds Ready back, not ContainersReady', (t) => {
  const wanted = pod({ containers: [a], readinessGates: [{ conditionType: 'g' }] })
  const made = status(wanted, have(run('a', CONTAINER_RUNNING)))
  t.is(condition(made, 'ContainersReady')?.status, 'True')
  t.like(condition(made, 'Ready'), { status: 'False', reason: 'ReadinessGatesNotReady' })
})

test('not ready names the containers', (t) => {
  const made = status(
    pod({ containers: [a, b] }),
    have(run('a', CONTAINER_RUNNING), run('b', CONTAINER_RUNNING)),
    {
      ready: ({ name }) => name === 'a',
    },
  )
  t.like(condition(made, 'Ready'), { status: 'False', reason: 'ContainersNotReady' })
  t.is(condition(made, 'Ready')?.message, 'containers with unready status: [b]')
})

test('addresses: of the sandbox, or of the host in its network', (t) => {
  const made = status(pod({ containers: [a] }), have())
  t.like(made, { podIP: '10.42.0.5', podIPs: [{ ip: '10.42.0.5' }], hostIP: '192.0.2.1' })
  t.is(status(pod({ containers: [a], hostNetwork: true }), have()).podIP, '192.0.2.1')
})

test('a container whose history the runtime lost keeps its count', (t) => {
  const known = pod(
    { containers: [a] },
    {
      containerStatuses: [
        { name: 'a', restartCount: 2, containerID: 'keelson://x', image: '', imageID: '', ready: true },
      ],
    },
  )
  const [shown] = status(known, have()).containerStatuses ?? []
  t.is(shown?.restartCount, 2)
  t.like(shown?.lastState?.terminated, { exitCode: 137, reason: 'ContainerStatusUnknown' })
})

test('the status of the same facts is the same', (t) => {
  const wanted = pod({ initContainers: [b], containers: [a] })
  const runtime = have(run('b', CONTAINER_EXITED), run('a', CONTAINER_RUNNING))
  const first = status(wanted, runtime)
  t.deepEqual(status({ ...wanted, status: first }, runtime, { nowMs: Date.UTC(2026, 5, 1) }), first)
})
