/**
 * Hostile archives in the older forms of tar: GNU's long names, numbers in base 256, pax records of odd kinds, members
 * that come twice. docs/reference/hostile-archives.md lists every trick with its test; that page is checked here too.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import { defaultUnpackLimits } from '../../../src/image/unpack/limits.ts'
import { adoptAttributes } from '../../../src/kernel/index.ts'
import { directory, file, hardlink, paxRecord, rawMember, symlink, tar } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const project = fileURLToPath(new URL('../../../', import.meta.url))

async function scene() {
  const folder = await temporaryDirectory()
  const [layer, outside] = [join(folder.path, 'layer'), join(folder.path, 'outside')]
  mkdirSync(layer)
  mkdirSync(outside, { mode: 0o700 })
  writeFileSync(join(outside, 'secret'), 'untouched')
  return {
    outside,
    layer,
    at: (path: string) => join(layer, path),
    text: (path: string) => readFileSync(join(layer, path), 'utf8'),
    unpack: (bytes: Buffer, more: Partial<typeof defaultUnpackLimits> = {}) =>
      unpackLayer(one(bytes), layer, { ...defaultUnpackLimits, ...more }),
    isUntouched: () =>
      readFileSync(join(outside, 'secret'), 'utf8') === 'untouched' && readdirSync(outside).length === 1,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function* one(bytes: Buffer) {
  yield bytes
}

const members = (...parts: Buffer[]) => Buffer.concat([...parts, Buffer.alloc(1024)])
const longName = (type: 'L' | 'K', name: string) => rawMember(type, '././@LongLink', Buffer.from(`${name}\0`))
const pax = (...records: [key: string, value: string][]) =>
  rawMember('x', 'h', Buffer.concat(records.map(([key, value]) => paxRecord(key, value))))

/** A header with other bytes at some places, and the sum that fits them. */
function patched(member: Buffer, ...changes: [offset: number, bytes: Buffer][]): Buffer {
  const copy = Buffer.from(member)
  for (const [offset, bytes] of changes) bytes.copy(copy, offset)
  copy.write('        ', 148)
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return copy
}

/** Bytes with the sign that GNU tar gives to base 256, most significant first. */
function base256(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(width, value < 0n ? 0xff : 0)
  for (let at = width - 1, rest = value; at > 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  bytes[0] = value < 0n ? 0xff : 0x80
  return bytes
}

const [uidAt, gidAt, sizeAt, linkAt] = [108, 116, 124, 157]

rootTest('hostile: GNU long names that lead out, or to nowhere', async (t) => {
  await using s = await scene()
  const refused = async (bytes: Buffer, message: RegExp) =>
    t.throwsAsync(s.unpack(bytes), { code: 'INVALID_ARGUMENT', message })
  await refused(
    members(longName('L', '../outside/secret'), rawMember('0', 'x', Buffer.from('evil'))),
    /"\.\."/,
  )
  const link = rawMember('1', 'l')
  await refused(members(longName('K', `${s.outside}/secret`), link), /ENOENT|no such file/i)
  await refused(members(longName('K', '../outside/secret'), link), /"\.\."/)
  await s.unpack(members(longName('L', `${s.outside}/secret`), rawMember('0', 'x', Buffer.from('mine'))))
  t.is(s.text(`${s.outside.slice(1)}/secret`), 'mine', 'an absolute name begins at the root of the layer')
  await s.unpack(members(longName('K', s.outside), rawMember('2', 'symbolic')))
  t.true(lstatSync(s.at('symbolic')).isSymbolicLink(), 'the text of a symbolic link is anything')
  t.true(s.isUntouched())
})

rootTest('hostile: a long name or a pax header without end is not kept in memory', async (t) => {
  await using s = await scene()
  for (const type of ['L', 'K', 'x', 'g']) {
    const huge = patched(rawMember(type, 'h'), [sizeAt, base256(2n ** 40n, 12)])
    async function* endless() {
      yield huge
      for (let count = 0; count < 4096; count++) yield Buffer.alloc(2 ** 16, 'n')
    }
    const before = process.memoryUsage().rss
    await t.throwsAsync(
      unpackLayer(endless(), s.layer, defaultUnpackLimits),
      { code: 'INVALID_ARGUMENT', message: /damaged/ },
      type,
    )
    t.true(process.memoryUsage().rss - before < 64 * 2 ** 20, type)
  }
})

rootTest('hostile: ids and sizes in base 256', async (t) => {
  await using s = await scene()
  const owned = (value: bigint) =>
    patched(rawMember('0', 'f'), [uidAt, base256(value, 8)], [gidAt, base256(value, 8)])
  await s.unpack(members(owned(2n ** 31n + 5n)))
  t.deepEqual([statSync(s.at('f')).uid, statSync(s.at('f')).gid], [2 ** 31 + 5, 2 ** 31 + 5])
  for (const wrong of [2n ** 32n - 1n, 2n ** 32n, 2n ** 55n, -1n])
    await t.throwsAsync(s.unpack(members(owned(wrong))), {
      code: 'INVALID_ARGUMENT',
      message: /owner .* range/,
    })
  const sized = (value: bigint) => patched(rawMember('0', 'g'), [sizeAt, base256(value, 12)])
  for (const wrong of [2n ** 60n, 2n ** 80n, 5000n, -1n, -(2n ** 40n)])
    await t.throwsAsync(
      s.unpack(members(sized(wrong))),
      { code: 'INVALID_ARGUMENT', message: /damaged|below zero/ },
      `${wrong}`,
    )
})

rootTest('hostile: pax records of sizes, owners and times that are no numbers', async (t) => {
  await using s = await scene()
  const with_ = (key: string, value: string) =>
    members(pax([key, value]), rawMember('0', 'f', Buffer.from('hello')))
  for (const size of ['-1', 'x', '99999999999999999999', '2000'])
    await t.throwsAsync(s.unpack(with_('size', size)), { code: 'INVALID_ARGUMENT', message: /damaged/ }, size)
  for (const uid of ['-1', '4294967295', '1.5', 'root', '0x', 'NaN'])
    await t.throwsAsync(s.unpack(with_('uid', uid)), { code: 'INVALID_ARGUMENT', message: /owner/ }, uid)
  for (const mtime of ['never', '1e400', '99999999999999999999'])
    t.is((await s.unpack(with_('mtime', mtime))).entries, 1, mtime)
  t.is(statSync(s.at('f')).mtimeMs, 0, 'the epoch')
  for (const key of ['path', 'linkpath', 'size'])
    await t.throwsAsync(s.unpack(members(rawMember('g', 'h', paxRecord(key, '1')), rawMember('0', 'f'))), {
      code: 'INVALID_ARGUMENT',
      message: /all of its members/,
    })
})

rootTest('hostile: a name that comes again replaces what was there, whatever it was', async (t) => {
  await using s = await scene()
  await s.unpack(
    await tar(
      file('a', 'first', { mode: 0o4755 }),
      hardlink('b', 'a'),
      file('a', 'second', { mode: 0o600 }),
      directory('d/'),
      file('d/inner', 'x'),
      symlink('d', 'a'),
      file('d', 'third'),
      symlink('l', s.outside),
      directory('l/'),
      file('l/secret', 'mine'),
    ),
  )
  t.deepEqual(
    [s.text('a'), s.text('b'), s.text('d'), s.text('l/secret')],
    ['second', 'first', 'third', 'mine'],
  )
  t.is(statSync(s.at('a')).mode & 0o7777, 0o600, 'no set-id bit of the one before')
  t.is(statSync(s.at('b')).nlink, 1)
  t.true(lstatSync(s.at('l')).isDirectory())
  t.true(s.isUntouched())
})

rootTest(
  'hostile: a set-id file keeps its bits and capabilities through a change of owner, and hands on neither',
  async (t) => {
    await using s = await scene()
    const capability = Buffer.from('0100000280ff000000000000ff80000000000000', 'hex')
    const xattrs = { 'security.capability': capability }
    await s.unpack(
      await tar(
        file('program', 'x', { mode: 0o6755, uid: 5, gid: 6, xattrs }),
        file('plain', 'x', { mode: 0o6755, uid: 5, gid: 6, xattrs }),
        file('plain', 'y'),
      ),
    )
    const { mode, uid, gid } = statSync(s.at('program'))
    t.deepEqual([mode & 0o7777, uid, gid], [0o6755, 5, 6])
    t.is(statSync(s.at('plain')).mode & 0o7777, 0o644)
  },
)

rootTest('hostile: whiteouts of every type of member, and the bookkeeping of AUFS', async (t) => {
  await using s = await scene()
  await s.unpack(
    await tar(
      { name: '.wh.one', type: 'symlink', linkname: s.outside },
      directory('.wh.two/'),
      hardlink('.wh.three', '../outside/secret'),
      file('.wh..wh.plnk/1', 'x'),
      file('.wh..wh.aufs', 'x'),
    ),
  )
  t.deepEqual(
    readdirSync(s.layer)
      .filter((name) => !name.startsWith('.wh.'))
      .toSorted(),
    ['one', 'three', 'two'],
  )
  for (const name of ['one', 'two', 'three']) t.true(lstatSync(s.at(name)).isCharacterDevice(), name)
  t.true(s.isUntouched())
})

rootTest('hostile: a link of a layer below is no way out for a layer above', async (t) => {
  await using s = await scene()
  const lower = join(s.layer, '../lower')
  mkdirSync(lower)
  await unpackLayer(
    one(await tar(symlink('d', s.outside), symlink('up', '../../..'))),
    lower,
    defaultUnpackLimits,
  )
  const { impliedDirectories } = await s.unpack(await tar(file('d/secret', 'mine'), file('up/top', 'mine')))
  t.deepEqual(impliedDirectories, ['d', 'up'])
  for (const path of impliedDirectories)
    await adoptAttributes([lower], s.layer, Buffer.from(path)).catch(() => undefined)
  t.true(lstatSync(s.at('d')).isDirectory() && s.text('d/secret') === 'mine')
  t.true(s.isUntouched())
  t.is(statSync(s.outside).mode & 0o7777, 0o700)
})

rootTest('hostile: paths deeper than allowed, also through links', async (t) => {
  await using s = await scene()
  const deep = (count: number) => Array(count).fill('d').join('/')
  await t.throwsAsync(s.unpack(await tar(file(`${deep(20)}/x`)), { maxDepth: 20 }), {
    code: 'RESOURCE_EXHAUSTED',
    message: /a path of more than 20 names/,
  })
  await s.unpack(await tar(file(`${deep(20)}/x`)), { maxDepth: 21 })
  await t.throwsAsync(
    s.unpack(await tar(symlink('l', `${deep(1000)}/${deep(1000)}/${deep(1000)}`), file('l/x'))),
    {
      code: 'INVALID_ARGUMENT',
    },
  )
})

test('hostile: a target of a hard link in the header, with NUL and without an end', async (t) => {
  await using s = await scene()
  const endless = patched(rawMember('1', 'l'), [linkAt, Buffer.alloc(100, 'n')])
  await t.throwsAsync(s.unpack(members(endless)), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(s.unpack(members(rawMember('1', 'l'))), {
    code: 'INVALID_ARGUMENT',
    message: /without a target/,
  })
})

test('every row of the page names a test that is there', (t) => {
  const page = readFileSync(join(project, 'docs/reference/hostile-archives.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (.+?) \| (.+?) \| `(.+?)` › (.+?) \|$/gm)]
  t.true(rows.length >= 40, `${rows.length} rows`)
  const lines = page.split('\n').filter((line) => line.startsWith('| ')).length
  t.is(rows.length, lines - 2 * [...page.matchAll(/^\| --- /gm)].length, 'every row has this form')
  for (const [, trick = '', , path = '', title = ''] of rows) {
    const whole = join(project, path)
    t.true(existsSync(whole) && readFileSync(whole, 'utf8').includes(title), `${trick}: ${path} › ${title}`)
  }
})
