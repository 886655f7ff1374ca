/**
 * `pod`: how long people wait. A real `kubectl create` until the pods are Ready, `keelson up` until the node is, and
 * one pod through CRI beside Debian's containerd with crun and with runc.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { PullImageRequest } from '../cri/types.ts'
import { type ApiClient, type Deployment, resources } from '../src/api/index.ts'
import { Cleanup } from '../src/base/index.ts'
import { TestCluster } from '../test/support/cluster.ts'
import { findPeer } from '../test/support/peers.ts'
import { type BenchOptions, type Row, runBench } from './frame/bench.ts'
import { type BenchImage, busyboxImage } from './frame/bench-image.ts'
import { type BenchRegistry, busyboxName, startBenchRegistry } from './frame/bench-registry.ts'
import { missingForContainerd, startContainerd } from './frame/containerd.ts'
import { benchCgroup, countCgroup } from './frame/cpu.ts'
import { startCriServer } from './frame/cri-server.ts'
import { peerVersion } from './frame/peers.ts'
import { PodCycle } from './frame/pod-cycle.ts'
import { allReady, none, PodWatch } from './frame/pod-watch.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = join(root, 'examples/nginx-deployment.yaml')
const own = `keelson ${process.env['npm_package_version'] ?? ''}`.trim()

const undo = new Cleanup()

await runBench({
  name: 'pod',
  about: [
    'pod-nginx-ready: kubectl create of examples/nginx-deployment.yaml to both pods Ready, image present, kubectl included',
    'pod-api-ready: the same Deployment created by a connected client; up-ready: `keelson up -d`, warm disk',
    'cri-pod-up: RunPodSandbox + CreateContainer + StartContainer; RuntimeDefault filter, 64 MiB, half a CPU, own network',
    'CPU counts daemons, monitors, containers, peers and the driving bench itself; idle daemons of the other rows run on',
  ],
  rounds: 30,
  peers: ['containerd-crun', 'containerd-runc'],
  rows,
  finish: () => undo[Symbol.asyncDispose](),
})

async function rows(options: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the pod bench needs root')
  if (findPeer('docker-registry') === undefined)
    throw new Error('the pod bench needs docker-registry: node scripts/peers.mjs')
  const directory = await mkdtemp('/var/tmp/keelson-bench-pod-')
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const busybox = await busyboxImage()
  const registry = await undo.use(startBenchRegistry(directory, busybox))
  return [
    await keelsonPodUp(directory, registry),
    ...(await containerdPodUp(directory, busybox, options)),
    ...(await deploymentReady(registry, options)),
    await upReady(),
  ]
}

async function keelsonPodUp(directory: string, { tablePath }: BenchRegistry): Promise<Row> {
  // `down`, at the end, also removes the pods that a bench which was cut short left.
  const cluster = await undo.use(TestCluster.create('cri', ['--registries', tablePath]))
  countCgroup(`/${cluster.instance}`)
  await mkdir(cluster.dataDirectory, { recursive: true })
  const argv = [join(root, 'bin/keelson'), 'cri', ...cluster.flags]
  const socketPath = join(cluster.runDirectory, 'cri.sock')
  const server = await undo.use(startCriServer({ argv, socketPath, logPath: join(directory, 'cri.log') }))
  const signal = AbortSignal.timeout(30_000)
  await server.cri.image.pullImage(PullImageRequest.fromPartial({ image: { image: busyboxName } }), {
    signal,
  })
  return podUp('keelson', own, new PodCycle(server.cri, podOptions(directory, 'keelson')))
}

async function containerdPodUp(
  directory: string,
  image: BenchImage,
  { notice }: BenchOptions,
): Promise<Row[]> {
  const missing = missingForContainerd()
  if (missing.length > 0) {
    notice(`containerd: ${missing.join(', ')} missing (node scripts/peers.mjs)`)
    return []
  }
  const containerd = await undo.use(startContainerd())
  await containerd.importImage(busyboxName, image)
  return (['crun', 'runc'] as const).map((runtimeHandler) => {
    const variant = `containerd-${runtimeHandler}`
    const version = `containerd ${containerd.version} + ${peerVersion(runtimeHandler)}`
    const options = { ...podOptions(directory, variant), runtimeHandler }
    return podUp(variant, version, new PodCycle(containerd.cri, options))
  })
}

function podOptions(directory: string, variant: string) {
  const cgroupParent = `${benchCgroup}/${variant}`
  return { image: busyboxName, cgroupParent, logDirectory: join(directory, 'logs', variant) }
}

function podUp(variant: string, version: string, cycle: PodCycle): Row {
  undo.defer(async () => {
    await cycle.down()
    cycle.removeParents()
  })
  return { id: 'cri-pod-up', variant, version, run: () => cycle.up(), after: () => cycle.down() }
}

/** One cluster for both rows; each turn starts and ends without a Deployment. */
async function deploymentReady({ tablePath }: BenchRegistry, { notice }: BenchOptions): Promise<Row[]> {
  const cluster = await undo.use(TestCluster.create('nginx', ['--registries', tablePath]))
  await cluster.up()
  countCgroup(`/${cluster.instance}`)
  const { client } = await undo.use(cluster.client())
  const pods = await undo.use(new PodWatch(client, 'default'))
  await pods.start()
  const deployment = parse(await readFile(manifest, 'utf8')) as Deployment
  const remove = async () => {
    await client.delete(resources.deployments, { namespace: 'default', name: 'nginx-deployment' })
    await pods.until('the pods are gone', none)
  }
  const row = (id: string, create: () => Promise<unknown>): Row => ({
    id,
    variant: 'keelson',
    version: own,
    every: 3,
    async run() {
      const startMs = performance.now()
      const [, endMs] = await Promise.all([
        create(),
        pods.until('both pods are Ready', allReady(2)).then(() => performance.now()),
      ])
      return endMs - startMs
    },
    after: remove,
  })
  const byClient = row('pod-api-ready', () => createDeployment(client, deployment))
  if ((await cluster.kubectl('version', '--client')).code === 0)
    return [row('pod-nginx-ready', () => kubectlCreate(cluster)), byClient]
  notice('pod-nginx-ready: kubectl is not installed')
  return [byClient]
}

function createDeployment(client: ApiClient, deployment: Deployment): Promise<Deployment> {
  const metadata = { ...deployment.metadata, namespace: 'default' }
  return client.create(resources.deployments, { ...deployment, metadata })
}

async function kubectlCreate(cluster: TestCluster): Promise<void> {
  const { code, stderr } = await cluster.kubectl('create', '-f', manifest)
  if (code !== 0) throw new Error(`kubectl create: ${stderr}`)
}

async function upReady(): Promise<Row> {
  const cluster = await undo.use(TestCluster.create('up'))
  return {
    id: 'up-ready',
    variant: 'keelson',
    version: own,
    every: 3,
    run: async () => void (await cluster.up()),
    async after() {
      const { code, stderr } = await cluster.keelson('down')
      if (code !== 0) throw new Error(`keelson down: ${stderr}`)
    },
  }
}
