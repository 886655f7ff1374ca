import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { ContentStore } from '../../src/image/content-store.ts'
import { LayerStore } from '../../src/image/layer-store.ts'
import { directory, file, sha256, tar } from '../support/archive.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

rootTest(
  'a layer that was the lowest of one image looks in another as the layers below it say',
  async (t) => {
    await using folder = await temporaryDirectory()
    mkdirSync(join(folder.path, 'image'))
    const content = await ContentStore.open(folder.path, 'b007', silentLogger)
    await using layers = new LayerStore({
      content,
      directory: folder.path,
      log: silentLogger,
      clock: systemClock,
    })
    await layers.adopt([])
    const base = await tar(directory('tmp/', { mode: 0o1777 }))
    const top = await tar(file('tmp/x'))
    const chainId = sha256(Buffer.from(`${sha256(base)} ${sha256(top)}`))
    const make = async (bytes: Buffer, id: string, below: string | undefined) => {
      const diffId = sha256(bytes)
      async function* blob() {
        yield bytes
      }
      const request = {
        blob: { digest: diffId, sizeBytes: bytes.length },
        diffId,
        chainId: id,
        source: { blob },
      }
      const { signal } = new AbortController()
      return (
        layers.find(diffId, id) ??
        (await layers.make({ ...request, below: below ? Promise.resolve([below]) : undefined, signal }))
      )
    }
    const mode = (path: string) => statSync(join(path, 'tmp')).mode & 0o7777
    const alone = layers.path(await make(top, sha256(top), undefined))
    const lower = layers.path(await make(base, sha256(base), undefined))
    const upper = layers.path(await make(top, chainId, lower))
    t.deepEqual([mode(alone), mode(lower), mode(upper)], [0o755, 0o1777, 0o1777])
    t.is(layers.path(await make(top, chainId, lower)), upper)
    t.is(layers.path(await make(top, sha256(top), undefined)), alone)
    t.is(
      layers.path(await make(base, chainId, alone)),
      lower,
      'one that describes all of itself serves anywhere',
    )
  },
)
