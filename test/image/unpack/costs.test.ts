import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Costs } from '../../../src/image/unpack/costs.ts'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import type { UnpackLimits } from '../../../src/image/unpack/limits.ts'
import { directory, file, gzip, type Member, symlink, tar } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const wide: UnpackLimits = { maxBytes: 2 ** 30, maxEntries: 10_000, maxDepth: 10_000, maxRatio: 0 }
const exhausted = { code: 'RESOURCE_EXHAUSTED' }

test('content is counted in whole blocks, and nothing as less than one', (t) => {
  const costs = new Costs({ ...wide, maxBytes: 5 * 4096 })
  costs.entry()
  costs.entry(1)
  costs.entry(4096)
  costs.entry(4097)
  t.throws(() => costs.entry(), exhausted)
})

test('paths that are remembered have a bound of their own', (t) => {
  const costs = new Costs(wide)
  for (let nth = 0; nth < 2_000_000; nth++) costs.path(60)
  t.throws(() => {
    for (let nth = 0; nth < 2_000_000; nth++) costs.path(60)
  }, exhausted)
})

/** The failure, and how many inodes there were by then. */
async function unpack(limits: UnpackLimits, ...members: Member[]) {
  await using folder = await temporaryDirectory()
  const layer = join(folder.path, 'layer')
  mkdirSync(layer)
  const bytes = gzip(await tar(...members))
  async function* source() {
    yield bytes
  }
  const error = await unpackLayer(source(), layer, limits).then(
    () => undefined,
    (failure) => failure,
  )
  const inodes = Number.parseInt(execFileSync('du', ['-s', '--inodes', layer]).toString(), 10)
  return { code: error?.code, message: error?.message, inodes }
}

rootTest('hostile: directories that no member describes count like those that one does', async (t) => {
  const deep = [1, 2, 3, 4].map((nth) => file(`${nth}/${'a/'.repeat(900)}f`, ''))
  for (const tight of [{ maxEntries: 2000 }, { maxBytes: 2000 * 4096 }]) {
    const { code, inodes } = await unpack({ ...wide, ...tight }, ...deep)
    t.is(code, 'RESOURCE_EXHAUSTED')
    t.true(inodes < 3000)
  }
  const described = Array.from({ length: 100 }, (_, nth) => directory(`d${nth}/`))
  const { code, message } = await unpack({ ...wide, maxBytes: 2 ** 18 }, ...described)
  t.is(code, 'RESOURCE_EXHAUSTED')
  t.regex(message, /bytes unpacked/)
})

rootTest('hostile: nothing is made at a depth that no honest image has', async (t) => {
  for (const members of [
    [file(`${'a/'.repeat(1500)}f`)],
    [symlink('l', 'a/'.repeat(600)), file('l/x'), symlink('l/m', 'b/'.repeat(600)), file('l/m/x')],
    [symlink('l', 'a/../b/'.repeat(550)), file('l/x')],
  ]) {
    const { code, message } = await unpack(wide, ...members)
    t.is(code, 'INVALID_ARGUMENT')
    t.regex(message, /ENAMETOOLONG/)
  }
})
