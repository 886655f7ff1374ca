import type { ImageStore } from '../image/index.ts'
import type { NamespacePins } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { PodNetwork } from '../network/index.ts'
import type { Container, Runtime } from '../oci/index.ts'
import { type Around, putAround } from './around.ts'

/**
 * Each with `around` at every call that leaves something behind: in the kernel, on disk, in the network. Without it
 * the parts themselves, so that nothing is paid by those who do not ask.
 */
export const instrumented = {
  ledger: (ledger: Ledger, around?: Around) =>
    around ? putAround(ledger, 'ledger', ['commit'], around) : ledger,
  pins: (pins: NamespacePins, around?: Around) =>
    around ? putAround(pins, 'pins', ['create', 'remove'], around) : pins,
  network: (network: PodNetwork, around?: Around) =>
    around ? putAround(network, 'network', ['setUp', 'tearDown', 'abandon'], around) : network,
  images: (images: ImageStore, around?: Around) => {
    if (!around) return images
    const snapshots = putAround(images.snapshots, 'snapshots', snapshotSteps, around)
    return putAround(images, 'images', ['pull', 'remove'], around, { snapshots })
  },
  runtime: (runtime: Runtime, around?: Around) => (around ? aroundRuntime(runtime, around) : runtime),
}

const snapshotSteps = ['prepare', 'remove', 'saveChanges', 'applyChanges', 'keep', 'drop'] as const

function aroundRuntime(runtime: Runtime, around: Around): Runtime {
  const wrap = (container: Container): Container =>
    putAround(container, 'container', ['start', 'kill', 'delete', 'pause', 'resume', 'checkpoint'], around)
  return putAround(runtime, 'runtime', ['remove'], around, {
    create: async (request) => wrap(await around('runtime.create', () => runtime.create(request))),
    restore: async (request) => wrap(await around('runtime.restore', () => runtime.restore(request))),
    get: async (id) => wrap(await runtime.get(id)),
    find: async (id) => {
      const found = await runtime.find(id)
      return found && wrap(found)
    },
    list: async () => (await runtime.list()).map(wrap),
  })
}
