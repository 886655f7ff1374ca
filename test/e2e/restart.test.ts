/** What survives whose death: node, control plane, monitor; and `up` again around all of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { resources } from '../../src/api/index.ts'
import { eventually } from '../support/eventually.ts'
import {
  allReady,
  type IsolatedCluster,
  isReady,
  manifestPath,
  type PodSeen,
  servicePath,
} from '../support/isolated-cluster.ts'
import { sharedCluster } from '../support/shared-cluster.ts'
import { fetchInside, tally } from '../support/web-client.ts'

const clusterTest = sharedCluster('restart')

clusterTest('`up` again changes nothing', async (t, cluster) => {
  await cluster.ask('create', '-f', manifestPath, '-f', servicePath)
  await cluster.podsUntil('two ready pods', allReady(2))
  const before = await cluster.processes()
  const { stdout, stderr } = await cluster.up()
  t.regex(stderr, /server already runs \(process \d+\)/)
  t.is(stdout, `export KUBECONFIG=${cluster.kubeconfig}\n`)
  t.deepEqual(await cluster.processes(), before)
})

clusterTest(
  'kill -9 of the node: pods keep their processes and answer; `up` adopts them',
  async (t, cluster) => {
    const url = await serviceUrl(cluster)
    const before = await lives(cluster)
    process.kill((await cluster.processes()).node, 'SIGKILL')
    await eventually('the node is down', async () => (await cluster.processes()).node === 0)
    t.is((await cluster.keelson('status')).code, 1)
    t.deepEqual(processesOf(cluster), before.processes, 'no container lost its process')
    t.is(Object.keys(tally(await fetchInside(cluster.network, url, 30))).length, 2)
    await cluster.up()
    await cluster.podsUntil('both still ready', allReady(2))
    t.deepEqual(await lives(cluster), before)
    t.is(Object.keys(tally(await fetchInside(cluster.network, url, 30))).length, 2)
  },
)

clusterTest('an exit while the node is down is noticed afterwards', async (t, cluster) => {
  const [victim, spared] = await cluster.pods('app=nginx')
  process.kill((await cluster.processes()).node, 'SIGKILL')
  await eventually('the node is down', async () => (await cluster.processes()).node === 0)
  const { id } = containerOf(victim)
  process.kill(firstProcess(id), 'SIGKILL')
  await eventually('the container is gone', () => processesIn(id).length === 0)
  await cluster.up()
  const pods = await cluster.podsUntil('its restart', (all) =>
    all.some(
      (pod) => pod.metadata.uid === victim?.metadata.uid && isReady(pod) && containerOf(pod).restarts === 1,
    ),
  )
  const restarted = pods.find(({ metadata }) => metadata.uid === victim?.metadata.uid)
  t.is(restarted?.status.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137)
  const other = pods.find(({ metadata }) => metadata.uid === spared?.metadata.uid)
  t.deepEqual(containerOf(other), containerOf(spared), 'the other was left alone')
})

clusterTest('kill -9 of a monitor: 137 MonitorLost, and a restart', async (t, cluster) => {
  const [, victim] = await cluster.pods('app=nginx')
  const { id } = containerOf(victim)
  process.kill(parentOf(firstProcess(id)), 'SIGKILL')
  const pods = await cluster.podsUntil('its restart', (all) =>
    all.some(
      (pod) => pod.metadata.uid === victim?.metadata.uid && isReady(pod) && containerOf(pod).id !== id,
    ),
  )
  const restarted = pods.find(({ metadata }) => metadata.uid === victim?.metadata.uid)
  t.like(restarted?.status.containerStatuses?.[0]?.lastState?.terminated, {
    exitCode: 137,
    reason: 'MonitorLost',
  })
  t.deepEqual(processesIn(id), [], 'nothing of the old one is left')
})

clusterTest(
  'kill -9 of the control plane amid 1,000 creates: what was acknowledged is there',
  async (t, cluster) => {
    const before = await lives(cluster)
    const { server } = await cluster.processes()
    const acknowledged = await createUntilKilled(cluster, 1000, 64, 300, server)
    t.true(
      acknowledged.length >= 300 && acknowledged.length < 1000,
      `${acknowledged.length} were acknowledged`,
    )
    await eventually('the server is down', async () => (await cluster.processes()).server === 0)
    await cluster.up()
    await using connection = await cluster.client()
    const { items } = await connection.client.list(resources.configmaps, { namespace: 'default' })
    const found = new Set(items.map(({ metadata }) => metadata.name))
    t.deepEqual(
      acknowledged.filter((name) => !found.has(name)),
      [],
    )
    t.log(`${acknowledged.length} acknowledged, ${found.size} stored`)
    t.deepEqual(await lives(cluster), before, 'the pods did not notice')
    await cluster.ask('scale', 'deployment', 'nginx-deployment', '--replicas=3')
    await cluster.podsUntil('the control plane works', allReady(3))
    await cluster.ask('scale', 'deployment', 'nginx-deployment', '--replicas=2')
    await cluster.podsUntil('two again', allReady(2))
  },
)

clusterTest('`up` with changed flags restarts the processes around the pods', async (t, cluster) => {
  const [pods, processes] = [await lives(cluster), await cluster.processes()]
  const { stderr } = await cluster.up('--log-level', 'debug')
  t.regex(stderr, /server restarts with the new configuration; pods stay/)
  const after = await cluster.processes()
  t.not(after.node, processes.node)
  t.not(after.server, processes.server)
  t.deepEqual(await lives(cluster), pods)
})

clusterTest('`down --keep-pods` and `up`; `status` tells', async (t, cluster) => {
  const url = await serviceUrl(cluster)
  const before = await lives(cluster)
  const healthy = await cluster.keelson('status')
  t.is(healthy.code, 0)
  t.regex(healthy.stdout, /control plane +process \d+, https:[\s\S]*node-1 +Ready[\s\S]*pods +2 Running/)
  t.regex((await cluster.keelson('down', '--keep-pods')).stderr, /pods go on/)
  const stopped = await cluster.keelson('status')
  t.is(stopped.code, 1)
  t.regex(stopped.stdout, /control plane +not running/)
  const json = JSON.parse((await cluster.keelson('status', '--json')).stdout)
  t.like(json, { kubeconfig: cluster.kubeconfig, server: { url: 'https://127.0.0.1:6443' } })
  t.is(json.server.pid, undefined)
  t.deepEqual(processesOf(cluster), before.processes)
  t.is(Object.keys(tally(await fetchInside(cluster.network, url, 30))).length, 2)
  await cluster.up()
  t.deepEqual(await lives(cluster), before)
})

clusterTest('`down`, `down`, `up`: the Deployment is there again', async (t, cluster) => {
  for (const run of ['first', 'second']) {
    const { code, stderr } = await cluster.keelson('down')
    t.is(code, 0, `${run}: ${stderr}`)
  }
  await cluster.up()
  await cluster.podsUntil('two ready pods', allReady(2), { timeoutMs: 40_000 })
  t.is(Object.keys(tally(await fetchInside(cluster.network, await serviceUrl(cluster), 30))).length, 2)
})

interface Lives {
  containers: { id: string; restarts: number }[]
  processes: number[]
}

async function lives(cluster: IsolatedCluster): Promise<Lives> {
  const pods = await cluster.pods('app=nginx')
  return { containers: pods.map(containerOf), processes: processesOf(cluster) }
}

function containerOf(pod: PodSeen | undefined): { id: string; restarts: number } {
  const status = pod?.status.containerStatuses?.[0]
  return { id: status?.containerID?.split('://')[1] ?? 'none', restarts: status?.restartCount ?? 0 }
}

/** Every process in a container of this cluster and every monitor, by cgroup; not the zygote, which goes with the node. */
function processesOf({ instance }: IsolatedCluster): number[] {
  const monitors = processesIn(`/${instance}/monitors`)
  const all = processesIn(`/${instance}/`)
  const contained = all.filter((pid) => !monitors.includes(pid))
  return all.filter((pid) => contained.includes(pid) || contained.some((child) => parentOf(child) === pid))
}

/** Not those that are dead and wait for somebody to ask: after the monitor that is the host's process 1. */
function processesIn(cgroup: string): number[] {
  const inside = (pid: string) =>
    read(`/proc/${pid}/cgroup`).includes(cgroup) && !/^State:\s*Z/m.test(read(`/proc/${pid}/status`))
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && inside(name))
    .map(Number)
}

/** The container's process 1: the only one whose parent is not in its cgroup. */
function firstProcess(cgroup: string): number {
  const all = processesIn(cgroup)
  const found = all.find((pid) => !all.includes(parentOf(pid)))
  if (found === undefined) throw new Error(`no process in ${cgroup}`)
  return found
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Creates ConfigMaps, so many in flight, and kills the server after so many answers; the names acknowledged. */
async function createUntilKilled(
  cluster: IsolatedCluster,
  total: number,
  inFlight: number,
  killAfter: number,
  pid: number,
): Promise<string[]> {
  await using connection = await cluster.client()
  const acknowledged: string[] = []
  let next = 0
  const worker = async () => {
    while (next < total) {
      const name = `load-${next++}`
      const metadata = { name, namespace: 'default' }
      const made = await connection.client.create(resources.configmaps, { metadata, data: { name } }).then(
        () => true,
        () => false,
      )
      if (!made) return
      acknowledged.push(name)
      if (acknowledged.length === killAfter) process.kill(pid, 'SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return acknowledged
}

async function serviceUrl(cluster: IsolatedCluster): Promise<string> {
  return `http://${await cluster.ask('get', 'service', 'nginx', '-o', 'jsonpath={.spec.clusterIP}')}/`
}
