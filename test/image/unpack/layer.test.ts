/**
 * Unpacking as root into a real directory. `outside` lies beside the layer and must stay as it was: every hostile
 * archive aims at it.
 */
import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import {
  device,
  directory,
  file,
  gzip,
  hardlink,
  type Member,
  paxRecord,
  rawMember,
  sha256,
  symlink,
  tar,
  zstd,
  zstdMagic,
} from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const limits = { maxBytes: 2 ** 30, maxEntries: 10_000, maxDepth: 1024, maxRatio: 0 }

async function scene() {
  const temporary = await temporaryDirectory()
  const layer = join(temporary.path, 'layer')
  const outside = join(temporary.path, 'outside')
  mkdirSync(layer)
  mkdirSync(outside)
  writeFileSync(join(outside, 'secret'), 'untouched', { mode: 0o640 })
  const before = fingerprint(outside)
  return {
    layer,
    outside,
    at: (path: string) => join(layer, path),
    text: (path: string) => readFileSync(join(layer, path), 'utf8'),
    unpack: async (...members: Member[]) => unpack(layer, await tar(...members)),
    untouched: () => fingerprint(outside) === before && readdirSync(temporary.path).length === 2,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  }
}

async function unpack(layer: string, bytes: Buffer, chunk = 65536) {
  async function* source() {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
  }
  return await unpackLayer(source(), layer, limits)
}

function fingerprint(path: string): string {
  const { mode, uid, mtimeMs } = statSync(path)
  const { mode: fileMode, nlink, uid: owner, mtimeMs: time } = statSync(join(path, 'secret'))
  const text = readFileSync(join(path, 'secret'), 'utf8')
  return JSON.stringify([readdirSync(path), mode, uid, mtimeMs, fileMode, nlink, owner, time, text])
}

const isWhiteout = (path: string) => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0
/** GNU tar writes the xattrs of what it archives as pax records; bytes as latin1. */
const xattrs = (path: string) =>
  execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--no-recursion', '-cPf', '-', path]).toString(
    'latin1',
  )

rootTest(
  'files, directories, links, owners, modes, set-id bits and times come out as they are',
  async (t) => {
    await using s = await scene()
    const mtime = new Date('2020-02-02T02:02:02Z')
    const unpacked = await s.unpack(
      directory('./', { mode: 0o751, mtime }),
      directory('etc/', { mode: 0o1777, uid: 12, gid: 34, mtime }),
      file('etc/passwd', 'root:x:0:0', { uid: 1000, gid: 1001, mode: 0o4755, mtime }),
      symlink('etc/link', '/absolute/../elsewhere'),
      hardlink('etc/second', 'etc/passwd'),
      file('empty', ''),
      { name: 'fifo', type: 'fifo', mode: 0o600 },
      device('null', 1, 3),
      file(`long/${'n'.repeat(200)}/${'m'.repeat(150)}`, 'deep'),
    )
    const passwd = statSync(s.at('etc/passwd'))
    t.is(s.text('etc/passwd'), 'root:x:0:0')
    t.deepEqual([passwd.mode & 0o7777, passwd.uid, passwd.gid, passwd.nlink], [0o4755, 1000, 1001, 2])
    t.is(passwd.mtimeMs, mtime.getTime())
    const etc = statSync(s.at('etc'))
    t.deepEqual([etc.mode & 0o7777, etc.uid, etc.gid, etc.mtimeMs], [0o1777, 12, 34, mtime.getTime()])
    t.is(statSync(s.layer).mode & 0o7777, 0o751)
    t.is(readlinkSync(s.at('etc/link')), '/absolute/../elsewhere')
    t.is(statSync(s.at('empty')).size, 0)
    t.true(statSync(s.at('fifo')).isFIFO())
    t.is(statSync(s.at('null')).rdev, 0x103)
    t.is(s.text(`long/${'n'.repeat(200)}/${'m'.repeat(150)}`), 'deep')
    t.true(unpacked.describesRoot)
    t.is(unpacked.entries, 9)
    t.deepEqual(unpacked.impliedDirectories, ['long', `long/${'n'.repeat(200)}`])
  },
)

rootTest('gzip, zstd and plain archives have the same diff id, in chunks of any size', async (t) => {
  const bytes = await tar(file('a', 'x'.repeat(100_000)), file('b'))
  for (const [archive, chunk] of [
    [bytes, 65536],
    [bytes, 1000],
    [gzip(bytes), 7],
    [gzip(bytes), 65536],
    [Buffer.concat([gzip(bytes.subarray(0, 512)), gzip(bytes.subarray(512))]), 65536],
    [zstd(bytes), 7],
    [Buffer.concat([zstd(bytes.subarray(0, 512)), zstd(bytes.subarray(512))]), 65536],
  ] as const) {
    await using s = await scene()
    const { diffId } = await unpack(s.layer, archive, chunk)
    t.is(diffId, sha256(bytes))
    t.is(s.text('a').length, 100_000)
  }
  await using s = await scene()
  const nonsense = Buffer.concat([zstdMagic, Buffer.alloc(100, 0xff)])
  for (const damaged of [nonsense, zstd(bytes).subarray(0, -5)])
    await t.throwsAsync(() => unpack(s.layer, damaged), { code: 'DATA_LOSS', message: /zstd/ })
})

rootTest(
  'whiteouts and opaque markers become their overlay forms; additions of the same layer win',
  async (t) => {
    await using s = await scene()
    await s.unpack(
      file('.wh.gone'),
      file('dir/.wh.inside'),
      directory('cleared/'),
      file('cleared/new'),
      file('cleared/.wh..wh..opq', ''),
      file('both/.wh..wh..opq', ''),
      file('both/new'),
      file('kept'),
      file('.wh.kept'),
      file('.wh.again'),
      file('again', 'new'),
      directory('tree/'),
      file('tree/new'),
      file('.wh.tree'),
      file('.wh.reborn'),
      directory('reborn/'),
      file('.wh.implied'),
      file('implied/child'),
      file('.wh..wh.plnk', 'aufs'),
    )
    t.true(isWhiteout(s.at('gone')))
    t.true(isWhiteout(s.at('dir/inside')))
    t.is(s.text('kept'), 'kept')
    t.is(s.text('again'), 'new')
    t.is(s.text('tree/new'), 'tree/new')
    t.is(s.text('implied/child'), 'implied/child')
    t.deepEqual(
      readdirSync(s.layer).filter((name) => name.startsWith('.wh.')),
      [],
    )
    for (const path of ['cleared', 'both', 'tree', 'reborn', 'implied'])
      t.regex(xattrs(s.at(path)), /trusted\.overlay\.opaque=y\n/, path)
    t.notRegex(xattrs(s.at('dir')), /opaque/)
  },
)

rootTest('overlayfs shows the layer as the archives meant it', async (t) => {
  await using s = await scene()
  const lower = join(s.outside, '../lower')
  mkdirSync(lower)
  await unpack(
    lower,
    await tar(file('gone'), file('kept'), directory('d/'), file('d/old'), directory('r/'), file('r/old')),
  )
  await s.unpack(
    file('.wh.gone'),
    directory('d/'),
    file('d/.wh..wh..opq', ''),
    file('d/new'),
    file('.wh.r'),
    directory('r/'),
  )
  const script = `mount -t tmpfs none ${lower}/../outside && mkdir ${s.outside}/m && mount -t overlay none -o lowerdir=${s.layer}:${lower} ${s.outside}/m && cd ${s.outside}/m && find . | sort`
  const seen = execFileSync('unshare', ['-m', 'sh', '-c', script]).toString()
  t.is(seen, '.\n./d\n./d/new\n./kept\n./r\n')
})

rootTest(
  'a later member replaces an earlier one of another kind; directories keep their content',
  async (t) => {
    await using s = await scene()
    await s.unpack(
      directory('a/'),
      file('a/x'),
      file('a', 'now a file'),
      file('b'),
      directory('b/', { mode: 0o700 }),
      directory('c/'),
      file('c/x'),
      directory('c/', { mode: 0o711 }),
      symlink('d', 'c'),
      directory('d/', { mode: 0o700 }),
      file('late/x'),
      directory('late/', { mode: 0o750 }),
      file('same'),
      hardlink('same2', 'same'),
      hardlink('same2', 'same'),
    )
    t.is(s.text('a'), 'now a file')
    t.true(statSync(s.at('b')).isDirectory())
    t.is(s.text('c/x'), 'c/x')
    t.is(statSync(s.at('c')).mode & 0o777, 0o711)
    t.false(lstatSync(s.at('d')).isSymbolicLink())
    t.is(statSync(s.at('late')).mode & 0o777, 0o750)
    t.is(s.text('same2'), 'same')
  },
)

rootTest('a very deep directory is made and removed again', async (t) => {
  await using s = await scene()
  const deep = Array.from({ length: 300 }, () => 'd').join('/')
  await s.unpack(file(`${deep}/x`, 'deep'), file('d', 'flat'))
  t.is(s.text('d'), 'flat')
  t.deepEqual(readdirSync(s.layer), ['d'])
})

rootTest('names and xattrs keep their bytes', async (t) => {
  await using s = await scene()
  const capability = Buffer.from('0100000280ff000000000000ff80000000000000', 'hex')
  await s.unpack(
    file('ping', 'x', {
      xattrs: { 'security.capability': capability, 'user.note': Buffer.from([0, 255, 10]) },
    }),
  )
  const name = Buffer.from([0x66, 0xff, 0xfe])
  const raw = Buffer.concat([
    rawMember('x', 'h', paxRecord('path', Buffer.concat([Buffer.from('pax-'), name]))),
    rawMember('0', 'placeholder', Buffer.from('hello')),
    rawMember('0', name.toString('latin1')),
    Buffer.alloc(1024),
  ])
  await unpack(s.layer, raw)
  const names = readdirSync(s.layer, { encoding: 'buffer' }).map((one) => one.toString('hex'))
  t.deepEqual(
    names.sort(),
    [name.toString('hex'), Buffer.from('ping').toString('hex'), `7061782d${name.toString('hex')}`].sort(),
  )
  t.true(xattrs(s.at('ping')).includes(`security.capability=${capability.toString('latin1')}\n`))
  t.true(xattrs(s.at('ping')).includes('user.note=\x00\xff\n\n'))
})

// Hostile archives. Each either is refused or stays inside; the outside is the same afterwards.

type Hostile = { title: string; members: (s: { outside: string }) => Member[]; refused?: RegExp }
const hostile: Hostile[] = [
  { title: 'an absolute path', members: ({ outside }) => [file(`${outside}/secret`, 'evil')] },
  {
    title: 'a path with ".." (CVE-2021-32803 family)',
    members: () => [file('../outside/secret', 'evil')],
    refused: /"\.\."/,
  },
  {
    title: 'a path with ".." inside',
    members: () => [file('a/../../outside/secret', 'evil')],
    refused: /"\.\."/,
  },
  {
    title: 'a link as parent, absolute (CVE-2021-32803, CVE-2018-15664)',
    members: ({ outside }) => [symlink('p', outside), file('p/secret', 'evil')],
  },
  {
    title: 'a link as parent, relative (CVE-2025-48387)',
    members: () => [symlink('p', '../outside'), file('p/secret', 'evil')],
  },
  {
    title: 'a chain of links (CVE-2025-59343)',
    members: () => [
      symlink('a', '.'),
      symlink('a/b', '..'),
      symlink('c', 'b/outside'),
      file('c/secret', 'evil'),
    ],
  },
  {
    title: 'a directory through a link (CVE-2021-37701)',
    members: ({ outside }) => [
      symlink('p', outside),
      directory('p/sub/', { mode: 0o777 }),
      directory('p/', { mode: 0o777 }),
    ],
  },
  {
    title: 'a hard link through a link (CVE-2026-23745, CVE-2026-24842)',
    members: ({ outside }) => [symlink('p', outside), hardlink('h', 'p/secret'), file('h', 'evil')],
    refused: /ENOENT/,
  },
  {
    title: 'a hard link to the outside (CVE-2024-12905)',
    members: () => [hardlink('h', '../outside/secret'), file('h', 'evil')],
    refused: /"\.\."/,
  },
  {
    title: 'a hard link to an absolute path (CVE-2026-26960)',
    members: ({ outside }) => [hardlink('h', `${outside}/secret`), file('h', 'evil')],
    refused: /ENOENT/,
  },
  {
    title: 'two links and a hard link (CVE-2026-26960)',
    members: () => [symlink('a', '..'), symlink('b', 'a/outside'), hardlink('h', 'b/secret')],
    refused: /ENOENT/,
  },
  {
    title: 'chmod through a hard link to a link (CVE-2021-32760)',
    members: ({ outside }) => [
      symlink('l', `${outside}/secret`),
      { ...hardlink('h', 'l'), mode: 0o777, uid: 5 },
      file('h', 'evil', { mode: 0o777 }),
    ],
  },
  {
    title: 'content through a link (last component)',
    members: ({ outside }) => [symlink('l', `${outside}/secret`), file('l', 'evil')],
  },
  {
    title: 'a root that is a link (CVE-2021-29136)',
    members: ({ outside }) => [symlink('.', outside), file('secret', 'evil')],
    refused: /root/,
  },
  {
    title: 'a root that is a link, as "/."',
    members: ({ outside }) => [symlink('/.', outside)],
    refused: /root/,
  },
  { title: 'a root that is a file', members: () => [file('./.')], refused: /root/ },
  { title: 'a member named ".."', members: () => [directory('..')], refused: /"\.\."/ },
  { title: 'an empty hard link target', members: () => [file('f'), hardlink('h', './')], refused: /root/ },
  {
    title: 'a directory that becomes a link, then a parent',
    members: ({ outside }) => [directory('d/'), symlink('d', outside), file('d/secret', 'evil')],
  },
  {
    title: 'an opaque marker on a link',
    members: ({ outside }) => [symlink('l', outside), file('l/.wh..wh..opq', '')],
  },
  {
    title: 'a whiteout through a link',
    members: ({ outside }) => [symlink('l', outside), file('l/.wh.secret')],
  },
  { title: 'a whiteout of nothing', members: () => [file('.wh.')], refused: /whiteout/ },
  { title: 'a whiteout of "."', members: () => [file('d/.wh..')], refused: /whiteout/ },
  { title: 'a whiteout of ".."', members: () => [file('d/.wh...')], refused: /whiteout/ },
  { title: 'a link to itself as parent', members: () => [symlink('l', 'l'), file('l/x')], refused: /ELOOP/ },
  { title: 'a file as parent', members: () => [file('f'), file('f/x')], refused: /ENOTDIR/ },
  {
    title: 'a hard link to a directory',
    members: () => [directory('d/'), hardlink('h', 'd')],
    refused: /EPERM/,
  },
  { title: 'a hard link to what is not there', members: () => [hardlink('h', 'nothing')], refused: /ENOENT/ },
  { title: 'a name that is too long', members: () => [file('n'.repeat(300))], refused: /ENAMETOOLONG/ },
  {
    title: 'an owner out of range (-1 keeps root)',
    members: () => [file('f', 'x', { pax: { uid: String(2 ** 32 - 1) } })],
    refused: /owner/,
  },
]
for (const { title, members, refused } of hostile)
  rootTest(`hostile: ${title}`, async (t) => {
    await using s = await scene()
    const attempt = s.unpack(...members(s))
    if (refused) await t.throwsAsync(() => attempt, { code: 'INVALID_ARGUMENT', message: refused })
    else await attempt
    t.true(s.untouched(), 'the outside is as it was')
  })

rootTest('hostile: what goes through links lands inside the layer', async (t) => {
  await using s = await scene()
  await s.unpack(
    symlink('p', s.outside),
    file('p/secret', 'inside'),
    symlink('q', '../../..'),
    file('q/top', 'top'),
  )
  t.is(s.text(`${s.outside.slice(1)}/secret`), 'inside')
  t.is(s.text('top'), 'top')
  t.true(s.untouched())
})

rootTest('hostile: a pax header that changes the path (CVE-2021-37713 family)', async (t) => {
  await using s = await scene()
  const evil = Buffer.concat([
    rawMember('x', 'h', paxRecord('path', '../outside/secret')),
    rawMember('0', 'harmless', Buffer.from('evil')),
    Buffer.alloc(1024),
  ])
  await t.throwsAsync(() => unpack(s.layer, evil), { code: 'INVALID_ARGUMENT', message: /"\.\."/ })
  const nul = Buffer.concat([
    rawMember('x', 'h', paxRecord('path', 'a\0b')),
    rawMember('0', 'c'),
    Buffer.alloc(1024),
  ])
  await t.throwsAsync(() => unpack(s.layer, nul), { code: 'INVALID_ARGUMENT', message: /NUL/ })
  const global = Buffer.concat([
    rawMember('g', 'h', paxRecord('path', 'x')),
    rawMember('0', 'c'),
    Buffer.alloc(1024),
  ])
  await t.throwsAsync(() => unpack(s.layer, global), {
    code: 'INVALID_ARGUMENT',
    message: /all of its members/,
  })
  const broken = Buffer.concat([
    rawMember('x', 'h', Buffer.from('99 path=x\n')),
    rawMember('0', 'c'),
    Buffer.alloc(1024),
  ])
  await t.throwsAsync(() => unpack(s.layer, broken), { code: 'INVALID_ARGUMENT', message: /pax/ })
  t.true(s.untouched())
})

rootTest(
  'hostile: devices are made by rule, overlay marks and foreign xattrs are dropped and counted',
  async (t) => {
    await using s = await scene()
    const unpacked = await s.unpack(
      device('disk', 8, 0),
      device('fake-whiteout', 0, 0),
      { ...device('sda', 1, 3), type: 'block-device' },
      device('zero', 1, 5),
      directory('d/', {
        xattrs: {
          'trusted.overlay.opaque': Buffer.from('y'),
          'trusted.overlay.redirect': Buffer.from('/etc'),
          'user.overlay.opaque': Buffer.from('y'),
          'security.selinux': Buffer.from('x'),
          'user.fine': Buffer.from('1'),
        },
      }),
    )
    t.deepEqual(readdirSync(s.layer).sort(), ['d', 'zero'])
    t.is(unpacked.ignoredDevices, 3)
    t.is(unpacked.ignoredXattrs, 4)
    t.regex(xattrs(s.at('d')), /user\.fine/)
    t.notRegex(xattrs(s.at('d')), /overlay|selinux/)
  },
)

rootTest('hostile: twins in case and in Unicode form stay apart', async (t) => {
  await using s = await scene()
  await s.unpack(file('A', '1'), file('a', '2'), file('\u00e9', '3'), file('e\u0301', '4'))
  t.deepEqual([s.text('A'), s.text('a'), s.text('\u00e9'), s.text('e\u0301')], ['1', '2', '3', '4'])
})

rootTest('hostile: unknown types, damage and truncation are refused', async (t) => {
  await using s = await scene()
  const end = Buffer.alloc(1024)
  await t.throwsAsync(() => unpack(s.layer, Buffer.concat([rawMember('V', 'volume'), end])), {
    code: 'INVALID_ARGUMENT',
  })
  await t.throwsAsync(() => unpack(s.layer, Buffer.alloc(512, 'x')), {
    code: 'INVALID_ARGUMENT',
    message: /damaged/,
  })
  const whole = await tar(file('big', 'x'.repeat(10_000)))
  await t.throwsAsync(() => unpack(s.layer, whole.subarray(0, 4096)), {
    code: 'INVALID_ARGUMENT',
    message: /damaged/,
  })
  await t.throwsAsync(() => unpack(s.layer, gzip(whole).subarray(0, 60)), {
    code: 'DATA_LOSS',
    message: /gzip/,
  })
})
