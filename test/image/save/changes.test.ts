/** What a container wrote, as a layer archive, and unpacked again. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { changesOf } from '../../../src/image/save/changes.ts'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import { readXattrs, Tree } from '../../../src/kernel/index.ts'
import { rootTest } from '../../support/root.ts'

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'keelson-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const limits = { maxBytes: 2 ** 30, maxEntries: 10_000, maxDepth: 100, maxRatio: 0 }

async function bytesOf(upper: string): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of changesOf(upper)) parts.push(part)
  return Buffer.concat(parts)
}

async function unpacked(t: ExecutionContext, upper: string): Promise<string> {
  const directory = folder(t)
  const bytes = await bytesOf(upper)
  await unpackLayer(
    (async function* () {
      yield bytes
    })(),
    directory,
    limits,
  )
  return directory
}

const attributes = { mode: 0o700, uid: 1, gid: 2, mtimeSeconds: 5, mtimeNanoseconds: 6 }
const longName = `${'d'.repeat(120)}/${'ä'.repeat(100)}`

function written(t: ExecutionContext): string {
  const upper = folder(t)
  mkdirSync(join(upper, 'd'.repeat(120)))
  writeFileSync(join(upper, longName), 'deep')
  writeFileSync(join(upper, 'file'), Buffer.alloc(300_000, 7))
  chownSync(join(upper, 'file'), 3_000_000_000, 7)
  chmodSync(join(upper, 'file'), 0o4751)
  utimesSync(join(upper, 'file'), 1.25, 1.25)
  linkSync(join(upper, 'file'), join(upper, 'second'))
  symlinkSync('/etc/passwd', join(upper, 'link'))
  using tree = new Tree(upper)
  tree.makeNode('fifo', { type: 'fifo', major: 0, minor: 0 }, attributes)
  tree.makeNode('null', { type: 'character', major: 1, minor: 3 }, attributes)
  const value = Buffer.from([0, 10, 255, 61])
  using file = tree.createFile('marked')
  file.finish({ ...attributes, xattrs: [{ name: 'user.any', value }] })
  tree.whiteout('removed')
  tree.makeDirectory('opaque', attributes)
  tree.opaque('opaque')
  return upper
}

rootTest('everything that a layer can hold comes back', async (t) => {
  const upper = written(t)
  const again = await unpacked(t, upper)
  t.is(readFileSync(join(again, longName), 'utf8'), 'deep')
  const file = lstatSync(join(again, 'file'), { bigint: true })
  t.like(file, { uid: 3_000_000_000n, gid: 7n, size: 300_000n, nlink: 2n, mtimeNs: 1_250_000_000n })
  t.is(Number(file.mode) & 0o7777, 0o4751)
  t.is(lstatSync(join(again, 'second'), { bigint: true }).ino, file.ino)
  t.is(readlinkSync(join(again, 'link')), '/etc/passwd')
  t.true(lstatSync(join(again, 'fifo')).isFIFO())
  t.is(lstatSync(join(again, 'null')).rdev, 0x103)
  t.deepEqual(readXattrs(join(again, 'marked')), [{ name: 'user.any', value: Buffer.from([0, 10, 255, 61]) }])
  const removed = lstatSync(join(again, 'removed'))
  t.true(removed.isCharacterDevice() && removed.rdev === 0)
  t.deepEqual(
    readXattrs(join(again, 'opaque')).map(({ name }) => name),
    ['trusted.overlay.opaque'],
  )
  t.true((await bytesOf(again)).equals(await bytesOf(upper)), 'the same content makes the same bytes')
})

rootTest('other programs read it', async (t) => {
  const upper = written(t)
  const { stdout, status } = spawnSync('tar', ['-tvf', '-', '--numeric-owner'], {
    input: await bytesOf(upper),
  })
  t.is(status, 0)
  const list = stdout.toString()
  t.regex(list, /-rwsr-x--x 3000000000\/7 +300000 .* file\n/)
  t.regex(list, /\.wh\.removed\n/)
  t.regex(list, /opaque\/\.wh\.\.wh\.\.opq\n/)
})

rootTest('a mark that says that content lies elsewhere is refused; a signal ends it', async (t) => {
  const upper = folder(t)
  using tree = new Tree(upper)
  using file = tree.createFile('moved')
  file.finish({ ...attributes, xattrs: [{ name: 'trusted.overlay.redirect', value: Buffer.from('/x') }] })
  await t.throwsAsync(bytesOf(upper), { message: /trusted\.overlay\.redirect/ })
  const ended = changesOf(upper, AbortSignal.abort(new Error('given up')))
  await t.throwsAsync(ended.next(), { message: 'given up' })
})
