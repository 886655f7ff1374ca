/** Archives that tar-stream alone would read otherwise than Go's archive/tar does. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import { defaultUnpackLimits } from '../../../src/image/unpack/limits.ts'
import { paxRecord, rawMember, sha256 } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const none = Buffer.alloc(0)
const end = Buffer.alloc(1024)

async function unpacked(bytes: Buffer) {
  const temporary = await temporaryDirectory()
  const layer = join(temporary.path, 'layer')
  mkdirSync(layer)
  async function* source() {
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
  }
  const dispose = () => temporary[Symbol.asyncDispose]()
  try {
    const { diffId } = await unpackLayer(source(), layer, defaultUnpackLimits)
    return {
      diffId,
      names: () => readdirSync(layer).sort(),
      text: (path: string) => readFileSync(join(layer, path), 'utf8'),
      target: (path: string) => readlinkSync(join(layer, path)),
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

rootTest('hostile: what is all header has no content, whatever size it claims', async (t) => {
  const members = [
    rawMember('5', 'd/', none, 4096),
    rawMember('6', 'fifo', none, 2 ** 20),
    rawMember('3', 'device', none, 512),
    rawMember('0', 'f', Buffer.from('content')),
    // rawMember has no room for the target of a link, so that is in pax records.
    rawMember('x', 'h', paxRecord('linkpath', 'f')),
    rawMember('1', 'hard', none, 4096),
    rawMember('x', 'h', Buffer.concat([paxRecord('linkpath', 'f'), paxRecord('size', '9999')])),
    rawMember('2', 'soft'),
    rawMember('0', 'last'),
  ]
  await using layer = await unpacked(Buffer.concat([...members, end]))
  t.deepEqual(layer.names(), ['d', 'f', 'fifo', 'hard', 'last', 'soft'])
  t.is(layer.text('hard'), 'content')
  t.is(layer.target('soft'), 'f')
})

rootTest('hostile: what follows the end of an archive is hashed, and no more', async (t) => {
  const evil = rawMember('0', 'evil', Buffer.from('evil'))
  for (const rest of [
    evil,
    Buffer.concat([evil, evil, end]),
    Buffer.alloc(700, 'x'),
    Buffer.alloc(100, 'x'),
  ]) {
    const bytes = Buffer.concat([rawMember('0', 'f'), end, rest])
    await using layer = await unpacked(bytes)
    t.deepEqual(layer.names(), ['f'])
    t.is(layer.diffId, sha256(bytes))
  }
  const lone = Buffer.concat([rawMember('0', 'f'), Buffer.alloc(512), evil, end])
  await t.throwsAsync(() => unpacked(lone), { code: 'INVALID_ARGUMENT', message: /zeros between/ })
  await using short = await unpacked(Buffer.concat([rawMember('0', 'f'), Buffer.alloc(512)]))
  t.deepEqual(short.names(), ['f'])
})

rootTest('the oldest format, whose directories are told by their names', async (t) => {
  await using folder = await temporaryDirectory()
  mkdirSync(join(folder.path, 'd/e'), { recursive: true })
  writeFileSync(join(folder.path, 'd/e/f'), 'content')
  const bytes = execFileSync('tar', ['--format=v7', '-cf', '-', 'd'], { cwd: folder.path })
  await using layer = await unpacked(bytes)
  t.deepEqual(layer.names(), ['d'])
  t.is(layer.text('d/e/f'), 'content')
  await using named = await unpacked(Buffer.concat([rawMember('0', 'name/', Buffer.from('x')), end]))
  t.is(named.text('name'), 'x', 'a file by its type')
  await using old = await unpacked(Buffer.concat([rawMember('\0', 'name/'), rawMember('\0', 'name/f'), end]))
  t.deepEqual([old.names(), old.text('name/f')], [['name'], ''])
})
