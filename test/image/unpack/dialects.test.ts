/** Archives that tar-stream alone would read otherwise than Go's archive/tar does. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import { defaultUnpackLimits } from '../../../src/image/unpack/limits.ts'
import { paxRecord, rawMember } from '../../support/archive.ts'
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
