/**
 * `cri`: what a kubelet asks of a container runtime, asked of the real `keelson cri` and of Debian's containerd with
 * crun and with runc through their sockets, by the same client.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { Cleanup } from '../src/base/index.ts'
import { findPeer } from '../test/support/peers.ts'
import { latencyRows } from './cri/latency.ts'
import { manyRow } from './cri/many.ts'
import { memoryRows } from './cri/memory.ts'
import { parallelRow } from './cri/parallel.ts'
import { containerdSides, keelsonSide } from './cri/side.ts'
import { runBench } from './frame/bench.ts'
import { busyboxImage } from './frame/bench-image.ts'
import { startBenchRegistry } from './frame/bench-registry.ts'
import type { BenchOptions, Row } from './frame/row.ts'

const undo = new Cleanup()

await runBench({
  name: 'cri',
  about: [
    'pod: one container, own network, RuntimeDefault filter (-noseccomp: none), no_new_privs, 64 MiB, half a CPU',
    'cri-pod-up: RunPodSandbox + CreateContainer + StartContainer; cri-stop-remove: StopPodSandbox + RemovePodSandbox',
    'cri-pod-cpu: CPU of one whole cycle, of server, monitors (shims), their children and containers, without the client',
    'cri-parallel10: up and down, 10 at a time; the clock stops when the last cgroup, mount and network namespace is gone',
    'cri-pss-*: of the server alone (keelson: with a copy of node that nobody else maps); -beside: per pod, all else it has',
    'cri-pods-500-*: list is the slower of ListPodSandbox and ListContainers; up-ratio is pod up with 500 there / the first',
  ],
  rounds: 30,
  peers: ['containerd-crun', 'containerd-runc'],
  rows,
  finish: () => undo[Symbol.asyncDispose](),
})

async function rows({ notice }: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the cri bench needs root')
  if (findPeer('docker-registry') === undefined)
    throw new Error('the cri bench needs docker-registry: node scripts/peers.mjs')
  const directory = await mkdtemp('/var/tmp/keelson-bench-cri-')
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const busybox = await busyboxImage()
  const registry = await undo.use(startBenchRegistry(directory, busybox))
  const own = await undo.use(keelsonSide({ directory, registry, name: 'cri' }))
  const peers = await containerdSides(undo, { directory, image: busybox, notice })
  const sides = [own, ...peers]
  return [
    ...sides.flatMap((side) => latencyRows(side)),
    ...sides.map((side) => parallelRow(side)),
    ...memoryRows({ directory, registry, image: busybox, withPeers: peers.length > 0 }),
    manyRow({ directory, registry }),
  ]
}
