import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { buildNginxImage } from '../../scripts/demo/nginx-image.mjs'
import { Cleanup } from '../../src/base/index.ts'
import { startRegistry } from '../../test/support/registry.ts'
import type { BenchImage } from './bench-image.ts'

export const busyboxName = 'docker.io/library/busybox:bench'

export interface BenchRegistry extends AsyncDisposable {
  /** For `--registries`: docker.io is this one. */
  readonly tablePath: string
}

/** A registry on loopback with the images that benches run, `nginx:1.7.9` as the demo builds it among them. */
export async function startBenchRegistry(directory: string, busybox: BenchImage): Promise<BenchRegistry> {
  await using undo = new Cleanup()
  const registry = await undo.use(startRegistry())
  const compress = (layer: Buffer) => gzipSync(layer, { level: 1 })
  await registry.pushImage('library/busybox', 'bench', {
    layers: [busybox.layer],
    config: busybox.config,
    compress,
  })
  const nginx = await buildNginxImage()
  await registry.pushImage('library/nginx', '1.7.9', {
    layers: nginx.layers.map((layer) => gunzipSync(layer)),
    config: nginx.config.config,
    compress,
  })
  const tablePath = join(directory, 'registries.yaml')
  const table = { 'docker.io': { endpoints: [registry.url], plainHttp: true, onlyMirrors: true } }
  await writeFile(tablePath, JSON.stringify(table)) // JSON is YAML
  return Object.assign(undo.move(), { tablePath })
}
