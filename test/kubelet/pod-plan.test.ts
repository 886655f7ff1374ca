import test from 'ava'
import fc from 'fast-check'
import * as cri from '../../cri/types.ts'
import type { Container, Pod, PodSpec } from '../../src/api/index.ts'
import { Backoff } from '../../src/kubelet/backoff.ts'
import { containerHash } from '../../src/kubelet/container-config.ts'
import { annotation } from '../../src/kubelet/labels.ts'
import { type PlanFacts, planPod } from '../../src/kubelet/pod-plan.ts'
import {
  type ContainerRun,
  nothing,
  type PodRuntime,
  type SandboxRun,
} from '../../src/kubelet/pod-runtime.ts'
import { podStatus } from '../../src/kubelet/pod-status.ts'

const { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_UNKNOWN } = cri.ContainerState

function pod(spec: Partial<PodSpec>): Pod {
  return { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [], ...spec } }
}

function sandbox(attempt: number, ready = true): SandboxRun {
  return { id: `s${attempt}`, attempt, ready, createdAtNs: BigInt(attempt), ips: ['10.42.0.5'] }
}

function run(
  container: Container,
  state: cri.ContainerState,
  options: Partial<cri.ContainerStatus> & { attempt?: number; sandboxId?: string } = {},
): ContainerRun {
  const { attempt = 0, sandboxId = 's0', ...more } = options
  const status = {
    ...cri.ContainerStatus.fromPartial({
      id: `${container.name}${attempt}`,
      state,
      createdAt: 1_000_000n,
      startedAt: 1_000_000n,
      finishedAt: state === CONTAINER_EXITED ? 2_000_000n : 0n,
      annotations: { [annotation.containerHash]: containerHash(container) },
    }),
    ...more,
  }
  return { id: status.id, name: container.name, attempt, sandboxId, state, status }
}

function facts(options: Partial<PlanFacts> = {}): PlanFacts {
  return {
    nowMs: 1000,
    restarts: new Backoff(),
    started: () => true,
    inPostStart: () => false,
    startFailed: () => false,
    unhealthy: () => undefined,
    ...options,
  }
}

const a: Container = { name: 'a', image: 'a:1' }
const b: Container = { name: 'b', image: 'b:1' }
const sidecar: Container = { name: 'side', image: 's:1', restartPolicy: 'Always' }

const started = (plan: ReturnType<typeof planPod>) =>
  plan.start.map(({ container, attempt }) => `${container.name}${attempt}`)

test('nothing there: a sandbox first, with attempt 0', (t) => {
  const plan = planPod(pod({ containers: [a] }), nothing, facts())
  t.deepEqual(plan.sandbox, { do: 'create', attempt: 0 })
  t.deepEqual(plan.start, [])
})

test('a sandbox there: all containers, in order', (t) => {
  const plan = planPod(pod({ containers: [a, b] }), { sandboxes: [sandbox(0)], containers: [] }, facts())
  t.deepEqual(started(plan), ['a0', 'b0'])
})

test('all there: nothing to do', (t) => {
  const have = { sandboxes: [sandbox(0)], containers: [run(a, CONTAINER_RUNNING), run(b, CONTAINER_RUNNING)] }
  const plan = planPod(pod({ containers: [a, b] }), have, facts())
  t.like(plan, { sandbox: { do: 'keep', id: 's0' }, start: [], stop: [], afterMs: undefined })
})

test('restart policies', (t) => {
  const ended = (exitCode: number) => ({
    sandboxes: [sandbox(0)],
    containers: [run(a, CONTAINER_EXITED, { exitCode })],
  })
  const after = (restartPolicy: PodSpec['restartPolicy'], exitCode: number) =>
    started(planPod(pod({ containers: [a], restartPolicy }), ended(exitCode), facts()))
  t.deepEqual(after('Always', 0), ['a1'])
  t.deepEqual(after('Always', 1), ['a1'])
  t.deepEqual(after('OnFailure', 0), [])
  t.deepEqual(after('OnFailure', 1), ['a1'])
  t.deepEqual(after('Never', 1), [])
})

test('a back-off is waited for and said', (t) => {
  const restarts = new Backoff()
  restarts.next('u1/a', 0, 0)
  const have = { sandboxes: [sandbox(0)], containers: [run(a, CONTAINER_EXITED, { exitCode: 1 })] }
  const plan = planPod(pod({ containers: [a, b] }), have, facts({ restarts }))
  t.deepEqual(started(plan), ['b0'])
  t.is(plan.afterMs, 9002)
  t.deepEqual(plan.waiting.get('a'), {
    reason: 'CrashLoopBackOff',
    message: 'back-off 10s restarting failed container=a pod=web_shop(u1)',
  })
})

test('init containers: one after the other, again in a new sandbox, never once the others began', (t) => {
  const wanted = pod({ initContainers: [a, b], containers: [{ name: 'm' }] })
  const plan = (...containers: ContainerRun[]) =>
    started(planPod(wanted, { sandboxes: [sandbox(0)], containers }, facts()))
  t.deepEqual(plan(), ['a0'])
  t.deepEqual(plan(run(a, CONTAINER_RUNNING)), [])
  t.deepEqual(plan(run(a, CONTAINER_EXITED)), ['b0'])
  t.deepEqual(plan(run(a, CONTAINER_EXITED), run(b, CONTAINER_EXITED)), ['m0'])
  t.deepEqual(plan(run(a, CONTAINER_EXITED, { exitCode: 1 })), ['a1'])
  t.deepEqual(plan(run({ name: 'm' }, CONTAINER_RUNNING)), [], 'init runs may be swept away meanwhile')
  const anew = { sandboxes: [sandbox(1), sandbox(0, false)], containers: [run(a, CONTAINER_EXITED)] }
  t.deepEqual(started(planPod(wanted, anew, facts())), ['a1'])
})

test('a failed init container with policy Never ends the pod', (t) => {
  const wanted = pod({ initContainers: [a], containers: [b], restartPolicy: 'Never' })
  const have = { sandboxes: [sandbox(0)], containers: [run(a, CONTAINER_EXITED, { exitCode: 1 })] }
  t.deepEqual(started(planPod(wanted, have, facts())), [])
  t.deepEqual(planPod(wanted, { ...have, sandboxes: [sandbox(0, false)] }, facts()).sandbox, { do: 'none' })
})

test('a sidecar must be started before the next begins, and is restarted for ever', (t) => {
  const wanted = pod({ initContainers: [sidecar], containers: [a], restartPolicy: 'Never' })
  const plan = (containers: ContainerRun[], more: Partial<PlanFacts> = {}) =>
    started(planPod(wanted, { sandboxes: [sandbox(0)], containers }, facts(more)))
  t.deepEqual(plan([]), ['side0'])
  t.deepEqual(plan([run(sidecar, CONTAINER_RUNNING)], { started: () => false }), [])
  t.deepEqual(plan([run(sidecar, CONTAINER_RUNNING)]), ['a0'])
  t.deepEqual(plan([run(sidecar, CONTAINER_EXITED), run(a, CONTAINER_RUNNING)]), ['side1'])
  const always = { ...wanted, spec: { ...wanted.spec, restartPolicy: 'Always' as const } }
  const both = [run(sidecar, CONTAINER_EXITED), run(a, CONTAINER_EXITED)]
  const again = planPod(always, { sandboxes: [sandbox(0)], containers: both }, facts())
  t.deepEqual(started(again), ['side1', 'a1'], 'once begun, the others do not wait for it')
})

test('a dead sandbox: its containers go, the next has the next attempt', (t) => {
  const have = {
    sandboxes: [sandbox(2, false)],
    containers: [run(a, CONTAINER_RUNNING, { sandboxId: 's2' })],
  }
  const plan = planPod(pod({ containers: [a] }), have, facts())
  t.deepEqual(plan.sandbox, { do: 'create', attempt: 3 })
  t.deepEqual(
    plan.stop.map(({ run: { id } }) => id),
    ['a0'],
  )
})

test('a dead sandbox of a pod that is through gets no successor', (t) => {
  const have = { sandboxes: [sandbox(0, false)], containers: [run(a, CONTAINER_EXITED)] }
  t.deepEqual(planPod(pod({ containers: [a], restartPolicy: 'OnFailure' }), have, facts()).sandbox, {
    do: 'none',
  })
  t.deepEqual(planPod(pod({ containers: [a] }), have, facts()).sandbox, { do: 'create', attempt: 1 })
})

test('created but never started: started now; after a failed start: like one that failed', (t) => {
  const have = { sandboxes: [sandbox(0)], containers: [run(a, CONTAINER_CREATED)] }
  const [step] = planPod(pod({ containers: [a] }), have, facts()).start
  t.is(step?.existing?.id, 'a0')
  t.deepEqual(started(planPod(pod({ containers: [a] }), have, facts({ startFailed: () => true }))), ['a1'])
  const never = pod({ containers: [a], restartPolicy: 'Never' })
  t.deepEqual(started(planPod(never, have, facts({ startFailed: () => true }))), [])
})

test('another image, failed health, an unknown state: the container is stopped', (t) => {
  const have = (state: cri.ContainerState) => ({ sandboxes: [sandbox(0)], containers: [run(a, state)] })
  const wanted = pod({ containers: [{ ...a, image: 'a:2' }] })
  t.regex(planPod(wanted, have(CONTAINER_RUNNING), facts()).stop[0]?.message ?? '', /definition changed/)
  const sick = planPod(
    pod({ containers: [a] }),
    have(CONTAINER_RUNNING),
    facts({ unhealthy: () => 'failed liveness probe' }),
  )
  t.is(sick.stop[0]?.message, 'Container a failed liveness probe, will be restarted')
  t.is(planPod(pod({ containers: [a] }), have(CONTAINER_UNKNOWN), facts()).stop.length, 1)
})

test('the next container waits for the postStart hook of the one before', (t) => {
  const have = { sandboxes: [sandbox(0)], containers: [run(a, CONTAINER_RUNNING)] }
  t.deepEqual(started(planPod(pod({ containers: [a, b] }), have, facts({ inPostStart: () => true }))), [])
})

test('when the runtime forgot a pod, the count of restarts goes on', (t) => {
  const known = pod({ containers: [a] })
  known.status = {
    containerStatuses: [
      { name: 'a', restartCount: 4, containerID: 'x://1', image: '', imageID: '', ready: true },
    ],
  }
  t.deepEqual(started(planPod(known, { sandboxes: [sandbox(0)], containers: [] }, facts())), ['a5'])
})

/** Plays a plan on a model of the runtime: sandboxes are made, containers start and end as the numbers say. */
function simulate(wanted: Pod, exits: readonly (number | undefined)[]): { have: PodRuntime; rounds: number } {
  let have: PodRuntime = nothing
  const restarts = new Backoff({ initialMs: 0, maxMs: 0 })
  let next = 0
  for (let rounds = 0; rounds < 200; rounds++) {
    const plan = planPod(wanted, have, facts({ restarts }))
    if (plan.sandbox.do === 'create') {
      have = { ...have, sandboxes: [sandbox(plan.sandbox.attempt), ...have.sandboxes] }
      continue
    }
    const running = have.containers.filter(({ state }) => state === CONTAINER_RUNNING)
    if (plan.start.length === 0 && (running.length === 0 || next >= exits.length)) return { have, rounds }
    let containers = [...have.containers]
    for (const { container, attempt } of plan.start)
      containers = [run(container, CONTAINER_RUNNING, { attempt }), ...containers]
    if (plan.start.length === 0) {
      const exitCode = exits[next++]
      const [first] = running
      if (exitCode !== undefined)
        containers = containers.map((one) =>
          one === first
            ? {
                ...one,
                state: CONTAINER_EXITED,
                status: { ...one.status, state: CONTAINER_EXITED, finishedAt: 3n, exitCode },
              }
            : one,
        )
    }
    have = { ...have, containers: containers.sort((x, y) => y.attempt - x.attempt) }
  }
  return { have, rounds: 200 }
}

test('property: plans settle, never run a container twice at once, nor a main one before the init ones', (t) => {
  const arbitrary = fc.record({
    inits: fc.integer({ min: 0, max: 3 }),
    mains: fc.integer({ min: 1, max: 3 }),
    restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
    exits: fc.array(fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }), { maxLength: 20 }),
  })
  fc.assert(
    fc.property(arbitrary, ({ inits, mains, restartPolicy, exits }) => {
      const named = (kind: string, count: number) =>
        Array.from({ length: count }, (_, index) => ({ name: `${kind}${index}-`, image: 'x:1' }))
      const wanted = pod({ initContainers: named('i', inits), containers: named('m', mains), restartPolicy })
      const { have, rounds } = simulate(wanted, exits)
      t.true(rounds < 200, 'settles')
      for (const { name } of [...(wanted.spec.initContainers ?? []), ...wanted.spec.containers]) {
        const running = have.containers.filter((one) => one.name === name && one.state === CONTAINER_RUNNING)
        t.true(running.length <= 1)
      }
      if (have.containers.some(({ name }) => name.startsWith('m')))
        for (const { name } of wanted.spec.initContainers ?? [])
          t.is(have.containers.find((one) => one.name === name)?.status.exitCode, 0)
      const { phase } = podStatus(wanted, have, {
        nowMs: 0,
        hostIPs: [],
        runtimeName: 'x',
        ended: false,
        waiting: new Map(),
        started: () => true,
        ready: () => true,
        startFailed: () => false,
        message: () => undefined,
      })
      if (restartPolicy === 'Always') t.true(phase === 'Running' || phase === 'Pending')
      if (phase === 'Succeeded' || phase === 'Failed')
        t.true(have.containers.every(({ state }) => state === CONTAINER_EXITED))
    }),
    { numRuns: 300 },
  )
})
