/** examples/nginx-deployment.yaml, unchanged, on a cluster of `keelson up`; its Service, seen from everywhere. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { allReady, isReady, manifestPath, servicePath } from '../support/isolated-cluster.ts'
import { sharedCluster } from '../support/shared-cluster.ts'
import { fetchInPod, fetchInside, tally } from '../support/web-client.ts'

const clusterTest = sharedCluster('nginx')

clusterTest('the Deployment becomes ready from its unchanged manifest', async (t, cluster) => {
  t.regex(await cluster.ask('create', '-f', manifestPath), /deployment.apps\/nginx-deployment created/)
  t.regex(await cluster.ask('create', '-f', servicePath), /service\/nginx created/)
  const pods = await cluster.podsUntil('two ready pods', allReady(2))
  t.true(pods.every(({ metadata }) => metadata.name.startsWith('nginx-deployment-')))
  t.regex(
    await cluster.ask('rollout', 'status', 'deployment/nginx-deployment', '--timeout=10s'),
    /successfully rolled out/,
  )
  t.regex(await cluster.ask('get', 'deployment', 'nginx-deployment'), /nginx-deployment +2\/2 +2 +2 /)
})

clusterTest(
  'its Service answers from the host, from a pod, and from its own endpoint',
  async (t, cluster) => {
    const url = await serviceUrl(cluster)
    const names = (await cluster.pods('app=nginx'))
      .map(({ metadata }) => `hello from ${metadata.name}`)
      .sort()
    const routes = (await cluster.network.run('/bin/busybox', ['ip', 'route'])).stdout
    t.notRegex(routes, /^default/m, 'no default route is needed')
    const counts = tally(await fetchInside(cluster.network, url, 40))
    t.deepEqual(Object.keys(counts).sort(), names, 'both pods answer, and nobody else')

    await cluster.ask('run', 'client', '--image=nginx:1.7.9', '--', 'sleep', '1000')
    await cluster.podsUntil('the client pod', allReady(1), { selector: 'run=client' })
    const fromPod = await fetchInPod(cluster, 'client', url, 16)
    t.is(fromPod.length, 16)
    t.deepEqual(Object.keys(tally(fromPod)).sort(), names)

    const [endpoint] = await cluster.pods('app=nginx')
    const fromItself = await fetchInPod(cluster, endpoint?.metadata.name ?? '', url, 16)
    t.deepEqual(Object.keys(tally(fromItself)).sort(), names, 'itself and the other')
  },
)

clusterTest('scale up and down: the Service follows', async (t, cluster) => {
  const url = await serviceUrl(cluster)
  await cluster.ask('scale', 'deployment', 'nginx-deployment', '--replicas=4')
  await cluster.podsUntil('four ready pods', allReady(4))
  t.is(Object.keys(tally(await fetchInside(cluster.network, url, 80))).length, 4)
  await cluster.ask('scale', 'deployment', 'nginx-deployment', '--replicas=1')
  const [left] = await cluster.podsUntil('one pod', allReady(1))
  t.deepEqual(tally(await fetchInside(cluster.network, url, 20)), {
    [`hello from ${left?.metadata.name}`]: 20,
  })
  await cluster.ask('scale', 'deployment', 'nginx-deployment', '--replicas=2')
  await cluster.podsUntil('two ready pods', allReady(2))
})

clusterTest('a killed process is restarted, with a longer wait each time', async (t, cluster) => {
  const [victim] = await cluster.pods('app=nginx')
  const { name, uid } = victim?.metadata ?? { name: '', uid: '' }
  const count = (wanted: number) => (pods: Awaited<ReturnType<typeof cluster.pods>>) =>
    pods.some((pod) => pod.metadata.uid === uid && isReady(pod) && restarts(pod) === wanted)
  await cluster.endContainer(name)
  await cluster.podsUntil('the first restart', count(1))
  await cluster.endContainer(name)
  const pods = await cluster.podsUntil('the back-off', (all) =>
    all.some((pod) => pod.status.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff'),
  )
  const waiting = pods.find((pod) => pod.metadata.uid === uid)?.status.containerStatuses?.[0]
  t.regex(waiting?.state?.waiting?.message ?? '', /back-off 10s/)
  t.is(waiting?.lastState?.terminated?.exitCode, 0)
  t.regex(await cluster.ask('get', 'pods'), new RegExp(`${name} +0/1 +CrashLoopBackOff +1 `))
  t.is(Object.keys(tally(await fetchInside(cluster.network, await serviceUrl(cluster), 10))).length, 1)
  await cluster.podsUntil('the second restart', count(2))
})

clusterTest('a deleted pod is replaced', async (t, cluster) => {
  const before = (await cluster.pods('app=nginx')).map(({ metadata }) => metadata.name)
  t.regex(await cluster.ask('delete', 'pod', before[0] ?? ''), /deleted/)
  const after = await cluster.podsUntil('a replacement', allReady(2))
  t.is(after.filter(({ metadata }) => before.includes(metadata.name)).length, 1)
})

clusterTest('delete -f: the pods go, the Service answers nobody', async (t, cluster) => {
  const url = await serviceUrl(cluster)
  await cluster.ask('delete', '-f', manifestPath)
  await cluster.podsUntil('no pods', (pods) => pods.length === 0)
  t.deepEqual(await fetchInside(cluster.network, url), ['error: ECONNREFUSED'])
  await cluster.ask('delete', '-f', servicePath)
  await cluster.ask('delete', 'pod', 'client', '--grace-period=1')
  t.deepEqual(await readdir(join(cluster.runDirectory, 'containers')), [])
})

async function serviceUrl(cluster: { ask(...args: string[]): Promise<string> }): Promise<string> {
  return `http://${await cluster.ask('get', 'service', 'nginx', '-o', 'jsonpath={.spec.clusterIP}')}/`
}

function restarts(pod: { status: { containerStatuses?: { restartCount: number }[] } }): number {
  return pod.status.containerStatuses?.[0]?.restartCount ?? 0
}
