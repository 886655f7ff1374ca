/** A data directory on a small tmpfs, mounted in a mount namespace of the child's own. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import ava, { type ExecutionContext } from 'ava'
import { file, gzip, tar } from '../support/archive.ts'
import { registryProgram, startRegistry } from '../support/registry.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

interface Outcome {
  code: string
  message: string
  images: number
  left: string[]
  /** The image that fits, pulled afterwards. */
  later: string
}

const root = new URL('../../src/', import.meta.url).href

/** Pulls `large`, which does not fit, then `small`, which does. */
async function pullOnSmallDisk(
  directory: string,
  sizeMiB: number,
  large: string,
  small: string,
): Promise<Outcome> {
  const program = `
    const { readdirSync } = await import('node:fs')
    const { openImageStore } = await import('${root}image/index.ts')
    const { silentLogger, systemClock } = await import('${root}base/index.ts')
    const store = await openImageStore({ dataDirectory: '${directory}', log: silentLogger, clock: systemClock })
    const { code, message } = await store.pull('${large}').catch((error) => error)
    const left = ['blobs/sha256', 'layers', 'ingest'].flatMap((name) => readdirSync('${directory}/image/' + name))
    const images = store.list().length
    const later = (await store.pull('${small}')).repoTags[0]
    await store[Symbol.asyncDispose]()
    console.log(JSON.stringify({ code, message, left, images, later }))`
  const script = `mount -t tmpfs -o size=${sizeMiB}m none "$0" && exec "$1" --import=tsx --input-type=module --eval "$2"`
  const { stdout } = await promisify(execFile)('unshare', [
    '-m',
    'sh',
    '-c',
    script,
    directory,
    process.execPath,
    program,
  ])
  return JSON.parse(stdout)
}

const title =
  'a disk that is full, while downloading or while unpacking: one clear error, nothing left, and life goes on'
async function body(t: ExecutionContext): Promise<void> {
  await using folder = await temporaryDirectory()
  await using registry = await startRegistry()
  const { host } = registry
  // Random bytes fill the disk with the blob; zeros are small until they are unpacked.
  const noise = Buffer.alloc(24 * 2 ** 20)
  for (let at = 0, x = 1; at < noise.length; at += 4) {
    x = (Math.imul(x, 1103515245) + 12345) | 0
    noise.writeInt32LE(x ^ (x >>> 15), at)
  }
  await registry.pushImage('noise', '1', { layers: [await tar(file('noise', noise))] })
  await registry.pushImage('bomb', '1', {
    layers: [await tar(file('zeros', Buffer.alloc(64 * 2 ** 20)))],
    compress: gzip,
  })
  await registry.pushImage('small', '1', { layers: [await tar(file('small', 'x'))], compress: gzip })
  // What would fill the disk when it is unpacked is given up before it has.
  for (const [name, message] of [
    ['noise', /no space left on the disk of .*image/],
    ['bomb', /the archive has more than \d+ bytes uncompressed/],
  ] as const) {
    const outcome = await pullOnSmallDisk(folder.path, 16, `${host}/${name}:1`, `${host}/small:1`)
    t.is(outcome.code, 'RESOURCE_EXHAUSTED', name)
    t.regex(outcome.message, message, name)
    t.deepEqual(outcome.left, [], name)
    t.is(outcome.images, 0)
    t.is(outcome.later, `${host}/small:1`)
  }
}
if (registryProgram()) rootTest(title, body)
else ava.skip(`${title} (needs docker-registry)`, body)
