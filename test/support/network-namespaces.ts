import { Cleanup, silentLogger } from '../../src/base/index.ts'
import {
  type NamespacePins,
  type OwnedFd,
  openNamespacePins,
  removePinNamespace,
} from '../../src/kernel/index.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface TestNamespaces extends AsyncDisposable {
  /** A network namespace of the test's own, made when first asked for. */
  get(id: string): Promise<OwnedFd>
  pins: NamespacePins
  directory: string
}

/** Network namespaces that are gone at the end of the scope; nothing happens in the host's. */
export async function testNamespaces(): Promise<TestNamespaces> {
  const cleanup = new Cleanup()
  const { path: directory } = await cleanup.use(temporaryDirectory())
  cleanup.defer(() => removePinNamespace({ runDirectory: directory }))
  const pins = await cleanup.use(openNamespacePins({ runDirectory: directory, log: silentLogger }))
  const known = new Map<string, OwnedFd>()
  return {
    pins,
    directory,
    async get(id) {
      const found = known.get(id)
      if (found) return found
      await pins.create({ id, network: true, ipc: false })
      const opened = await cleanup.use(pins.open(id, 'network'))
      known.set(id, opened)
      return opened
    },
    [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
  }
}
