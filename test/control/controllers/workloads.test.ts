/** The workload controllers together, against an API in memory: what users see when they change a Deployment. */
import test, { type ExecutionContext } from 'ava'
import {
  type Deployment,
  nameOf,
  type Pod,
  type ReplicaSet,
  resources,
  timestamp,
} from '../../../src/api/index.ts'
import { apiWithControllers } from '../../support/controllers.ts'
import { eventually } from '../../support/eventually.ts'
import type { FakeApi } from '../../support/fake-api.ts'

const namespace = 'default'
const inDefault = { namespace }

function deployment(image: string, replicas = 2): Deployment {
  const labels = { app: 'web' }
  return {
    metadata: { name: 'web', namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } },
    },
  }
}

const podsOf = async (api: FakeApi) => (await api.client.list(resources.pods, inDefault)).items
const setsOf = async (api: FakeApi) => (await api.client.list(resources.replicasets, inDefault)).items

async function makeReady(api: FakeApi, pod: Pod): Promise<void> {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: timestamp(Date.now()) }]
  await api.client.patch(
    resources.pods,
    { namespace, name: nameOf(pod) },
    { type: 'merge', patch: { status: { phase: 'Running', podIP: '10.42.0.9', conditions } } },
    { subresource: 'status' },
  )
}

const isReady = (pod: Pod) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')

/** Plays kubelet: every pod becomes Ready, one that is being deleted goes. */
function playKubelet(t: ExecutionContext, api: FakeApi, seen: (pods: Pod[]) => void = () => undefined): void {
  let on = true
  t.teardown(() => {
    on = false
  })
  void (async () => {
    while (on) {
      const pods = await podsOf(api)
      seen(pods)
      for (const pod of pods)
        if (pod.metadata.deletionTimestamp)
          await api.client
            .delete(resources.pods, { namespace, name: nameOf(pod) }, { gracePeriodSeconds: 0 })
            .catch(() => undefined)
        else if (!isReady(pod)) await makeReady(api, pod).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
}

test('a Deployment gets a ReplicaSet and its pods, no more, and shows when they are available', async (t) => {
  const api = await apiWithControllers(t)
  await api.client.create(resources.deployments, deployment('nginx:1'))
  await eventually('two pods', async () => (await podsOf(api)).length === 2)
  playKubelet(t, api)
  const shown = await eventually('available', async () => {
    const found = await api.client.get(resources.deployments, { namespace, name: 'web' })
    return found.status?.availableReplicas === 2 && found
  })
  t.is(shown.metadata.annotations?.['deployment.kubernetes.io/revision'], '1')
  t.is(shown.status?.conditions?.find(({ type }) => type === 'Available')?.status, 'True')
  await eventually('complete', async () => {
    const found = await api.client.get(resources.deployments, { namespace, name: 'web' })
    return (
      found.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason ===
      'NewReplicaSetAvailable'
    )
  })
  const pods = await podsOf(api)
  t.is(pods.length, 2)
  const [set] = await setsOf(api)
  t.true(
    pods.every(
      (pod) => pod.metadata.labels?.['pod-template-hash'] === set?.metadata.labels?.['pod-template-hash'],
    ),
  )
  t.true(pods.every((pod) => pod.metadata.ownerReferences?.[0]?.uid === set?.metadata.uid))
})

test('a deleted pod is replaced', async (t) => {
  const api = await apiWithControllers(t)
  await api.client.create(resources.deployments, deployment('nginx:1'))
  playKubelet(t, api)
  const before = await eventually('two pods', async () => {
    const pods = await podsOf(api)
    return pods.length === 2 && pods.every(isReady) && pods
  })
  const [victim] = before
  if (!victim) return t.fail()
  await api.client.delete(resources.pods, { namespace, name: nameOf(victim) })
  await eventually('a replacement', async () => {
    const pods = await podsOf(api)
    return pods.length === 2 && pods.every((pod) => pod.metadata.uid !== victim.metadata.uid && isReady(pod))
  })
  t.pass()
})

test('a new template rolls without ever having fewer ready pods than promised or more than the surge', async (t) => {
  const api = await apiWithControllers(t)
  await api.client.create(resources.deployments, deployment('nginx:1', 4))
  let fewest = Number.POSITIVE_INFINITY
  let most = 0
  let rolling = false
  playKubelet(t, api, (pods) => {
    if (!rolling) return
    fewest = Math.min(fewest, pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp).length)
    most = Math.max(most, pods.filter((pod) => !pod.metadata.deletionTimestamp).length)
  })
  const ready = async (image: string) => {
    const pods = await podsOf(api)
    return pods.length === 4 && pods.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === image)
  }
  await eventually('first rollout', () => ready('nginx:1'))
  await eventually('seen as available', async () => (await setsOf(api))[0]?.status?.availableReplicas === 4)
  rolling = true
  const template = deployment('nginx:2').spec.template
  await api.client.patch(
    resources.deployments,
    { namespace, name: 'web' },
    { type: 'merge', patch: { spec: { template } } },
  )
  await eventually('second rollout', () => ready('nginx:2'))
  rolling = false
  t.true(fewest >= 3, `fewest ${fewest}`)
  t.true(most <= 5, `most ${most}`)
  const sets = await eventually('old set empty', async () => {
    const found = await setsOf(api)
    return found.some((set) => set.spec?.replicas === 0) && found
  })
  t.is(sets.length, 2)
  // Back to the first template: its set is used again, under a new revision.
  const back = deployment('nginx:1').spec.template
  await api.client.patch(
    resources.deployments,
    { namespace, name: 'web' },
    { type: 'merge', patch: { spec: { template: back } } },
  )
  await eventually('rolled back', () => ready('nginx:1'))
  t.is((await setsOf(api)).length, 2)
  await eventually('revision 3', async () => {
    const found = await api.client.get(resources.deployments, { namespace, name: 'web' })
    return found.metadata.annotations?.['deployment.kubernetes.io/revision'] === '3'
  })
})

test('scaling down deletes pods that are not ready first', async (t) => {
  const api = await apiWithControllers(t)
  await api.client.create(resources.deployments, deployment('nginx:1', 3))
  const pods = await eventually('three pods', async () => {
    const found = await podsOf(api)
    return found.length === 3 && found
  })
  const [kept] = pods
  if (!kept) return t.fail()
  const target = { apiVersion: 'v1', kind: 'Node', name: 'n1' }
  await api.client.postSubresource(resources.pods, { namespace, name: nameOf(kept) }, 'binding', { target })
  await makeReady(api, kept)
  await eventually('seen as ready', async () => (await setsOf(api))[0]?.status?.readyReplicas === 1)
  await api.client.patch(
    resources.deployments,
    { namespace, name: 'web' },
    { type: 'merge', patch: { spec: { replicas: 1 } } },
  )
  const left = await eventually('one pod', async () => {
    const alive = (await podsOf(api)).filter((pod) => !pod.metadata.deletionTimestamp)
    return alive.length === 1 && alive
  })
  t.is(left[0]?.metadata.uid, kept.metadata.uid)
})

test('an orphan that matches is adopted, one that stops matching is released', async (t) => {
  const api = await apiWithControllers(t)
  const labels = { app: 'lone' }
  await api.client.create(resources.pods, {
    metadata: { name: 'orphan', namespace, labels },
    spec: { containers: [] },
  })
  const set: ReplicaSet = {
    metadata: { name: 'lone', namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [] } },
    },
  }
  const made = await api.client.create(resources.replicasets, set)
  await eventually('adopted', async () => {
    const pod = await api.client.get(resources.pods, { namespace, name: 'orphan' })
    return pod.metadata.ownerReferences?.[0]?.uid === made.metadata.uid
  })
  t.is((await podsOf(api)).length, 1)
  await api.client.patch(
    resources.pods,
    { namespace, name: 'orphan' },
    { type: 'merge', patch: { metadata: { labels: { app: 'other' } } } },
  )
  await eventually('released and replaced', async () => {
    const pods = await podsOf(api)
    const freed = pods.find((pod) => nameOf(pod) === 'orphan')
    return pods.length === 2 && (freed?.metadata.ownerReferences ?? []).length === 0
  })
})

test('a Deployment that goes takes its ReplicaSets and pods along', async (t) => {
  const api = await apiWithControllers(t)
  await api.client.create(resources.deployments, deployment('nginx:1'))
  playKubelet(t, api)
  await eventually('two pods', async () => (await podsOf(api)).length === 2)
  await api.client.delete(resources.deployments, { namespace, name: 'web' })
  await eventually(
    'all gone',
    async () => (await podsOf(api)).length === 0 && (await setsOf(api)).length === 0,
  )
  t.pass()
})

test('refused pods show as a condition of the set, and come when the refusal ends', async (t) => {
  const api = await apiWithControllers(t)
  api.refuse = ({ method, path }) =>
    method === 'POST' && path.endsWith('/pods')
      ? { code: 403, reason: 'Forbidden', message: 'no more pods here' }
      : undefined
  await api.client.create(resources.deployments, deployment('nginx:1'))
  await eventually('condition', async () => {
    const condition = (await setsOf(api))[0]?.status?.conditions?.find(
      ({ type }) => type === 'ReplicaFailure',
    )
    return condition?.status === 'True' && condition.message?.includes('no more pods here')
  })
  api.refuse = undefined
  await eventually('two pods', async () => (await podsOf(api)).length === 2)
  await eventually(
    'condition gone',
    async () => ((await setsOf(api))[0]?.status?.conditions ?? []).length === 0,
  )
  t.pass()
})
