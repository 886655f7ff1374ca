/**
 * `pod`: how long people wait. A real `kubectl create` until the pods are Ready, and `keelson up` until the node is.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { type ApiClient, type Deployment, resources } from '../src/api/index.ts'
import { Cleanup } from '../src/base/index.ts'
import { TestCluster } from '../test/support/cluster.ts'
import { findPeer } from '../test/support/peers.ts'
import { runBench } from './frame/bench.ts'
import { busyboxImage } from './frame/bench-image.ts'
import { type BenchRegistry, startBenchRegistry } from './frame/bench-registry.ts'
import { countCgroup } from './frame/cpu.ts'
import { allReady, none, PodWatch } from './frame/pod-watch.ts'
import type { BenchOptions, Row } from './frame/row.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = join(root, 'examples/nginx-deployment.yaml')
const own = `keelson ${process.env['npm_package_version'] ?? ''}`.trim()

const undo = new Cleanup()

await runBench({
  name: 'pod',
  about: [
    'pod-nginx-ready: kubectl create of examples/nginx-deployment.yaml to both pods Ready, image present, kubectl included',
    'pod-api-ready: the same Deployment created by a connected client; up-ready: `keelson up -d`, warm disk',
    'CPU counts daemons, monitors, containers and the driving bench itself',
  ],
  rounds: 30,
  peers: [],
  rows,
  finish: () => undo[Symbol.asyncDispose](),
})

async function rows(options: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the pod bench needs root')
  if (findPeer('docker-registry') === undefined)
    throw new Error('the pod bench needs docker-registry: node scripts/peers.mjs')
  const directory = await mkdtemp('/var/tmp/keelson-bench-pod-')
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const registry = await undo.use(startBenchRegistry(directory, await busyboxImage()))
  return [...(await deploymentReady(registry, options)), await upReady()]
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
