/**
 * `image`: pull and unpack of one large image from Debian's docker-registry on loopback, by `keelson cri` and by
 * containerd through PullImage, and by podman's command line.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { Cleanup } from '../src/base/index.ts'
import { findPeer } from '../test/support/peers.ts'
import { startRegistry } from '../test/support/registry.ts'
import { runBench } from './frame/bench.ts'
import type { BenchOptions, Row } from './frame/row.ts'
import { imageBytes, layerCount, pushGeneratedImage } from './image/generated-image.ts'
import { containerdPuller, keelsonPuller, type Puller, podmanPuller } from './image/pullers.ts'

const undo = new Cleanup()

await runBench({
  name: 'image',
  about: [
    `image-pull: ${imageBytes / 1e6} MB in ${layerCount} gzip layers of 450 files each, from a registry on loopback to unpacked`,
    'all three write to the same file system; the image is removed between turns, outside of the clock',
  ],
  rounds: 10,
  peers: ['containerd', 'podman'],
  rows,
  finish: () => undo[Symbol.asyncDispose](),
})

async function rows({ notice }: BenchOptions): Promise<Row[]> {
  if (process.getuid?.() !== 0) throw new Error('the image bench needs root')
  if (findPeer('docker-registry') === undefined)
    throw new Error('the image bench needs docker-registry: node scripts/peers.mjs')
  const directory = await mkdtemp('/var/tmp/keelson-bench-image-')
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const registry = await undo.use(startRegistry())
  const reference = await pushGeneratedImage(registry)
  const place = { directory, registry, reference, notice }
  const pullers: Puller[] = [await undo.use(keelsonPuller(place))]
  for (const start of [containerdPuller, podmanPuller]) {
    const peer = await start(place)
    if (peer) pullers.push(await undo.use(peer))
  }
  return pullers.map(row)
}

function row(puller: Puller): Row {
  const { variant, version } = puller
  return { id: 'image-pull', variant, version, run: () => puller.pull(), after: () => puller.remove() }
}
