/** Who an exec runs as, and what it may: the forms of `-u`, and capabilities that are added. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { ociTests } from '../support/oci-tests.ts'

const { programs, nextId, busyboxTest } = ociTests('identity')

/** What /proc/self/status says of a program: ids, then the capability sets by name. */
async function statusIn(id: string, options: readonly string[]) {
  const { code, stdout, stderr } = await programs.keelson.run([
    'exec',
    ...options,
    id,
    '/bin/cat',
    '/proc/self/status',
  ])
  const field = (name: string) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(stdout)?.[1]?.split(/\s+/)[0]
  const caps = (name: string) => BigInt(`0x${field(name) ?? '0'}`)
  return { code, stderr, uid: field('Uid'), gid: field('Gid'), caps }
}

async function withContainer(body: (id: string) => Promise<void>): Promise<void> {
  const spec = busyboxSpec(['/bin/sleep', '100'], (one) => ({
    ...one,
    process: { cwd: '/', ...one.process, user: { uid: 5, gid: 6 } },
  }))
  using bundle = makeBundle(spec)
  // CVE-2016-3697: a number is a number, whatever the image calls its users.
  mkdirSync(join(bundle.rootfs, 'etc'), { recursive: true })
  writeFileSync(
    join(bundle.rootfs, 'etc/passwd'),
    '1:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nnobody:x:0:0::/:/bin/sh\n',
  )
  writeFileSync(join(bundle.rootfs, 'etc/group'), '2:x:0:\n')
  const id = nextId()
  try {
    const { code, stderr } = await programs.keelson.run(['run', '--detach', '--bundle', bundle.path, id])
    if (code !== 0) throw new Error(stderr)
    await body(id)
  } finally {
    await programs.keelson.run(['delete', '--force', id])
  }
}

busyboxTest('exec -u: each form is what it says or is refused (CVE-2026-30892, CVE-2016-3697)', async (t) => {
  await withContainer(async (id) => {
    for (const [user, uid, gid] of [
      ['1', '1', '6'],
      ['01', '1', '6'],
      ['1:2', '1', '2'],
      ['1000', '1000', '6'],
      ['0:0', '0', '0'],
      ['4294967294', '4294967294', '6'],
    ] as const)
      t.like(await statusIn(id, ['-u', user]), { code: 0, uid, gid }, user)
    for (const user of [
      '1:',
      ':2',
      ' 1',
      '1 ',
      '4294967295',
      '4294967296',
      '-1',
      '0x1',
      'nobody',
      'root:root',
      '',
    ]) {
      const { code, stderr } = await statusIn(id, ['--user', user])
      t.is(code, 255, user)
      t.regex(stderr, /^keelson-oci: exec: [^\n]*(--user takes|is no id|out of range)[^\n]*\n$/, user)
    }
    t.like(await statusIn(id, []), { uid: '5', gid: '6' }, 'the container’s own')
  })
})

busyboxTest(
  'exec --cap: nothing inheritable, nothing ambient (CVE-2022-29162, CVE-2022-24769, CVE-2022-27650, CVE-2025-27612)',
  async (t) => {
    await withContainer(async (id) => {
      const user = await statusIn(id, ['--cap', 'CAP_SYS_ADMIN', '-u', '1000'])
      t.is(user.code, 0, user.stderr)
      for (const set of ['CapInh', 'CapAmb', 'CapEff', 'CapPrm']) t.is(user.caps(set), 0n, set)
      t.true((user.caps('CapBnd') & (1n << 21n)) !== 0n)
      const root = await statusIn(id, ['--cap', 'CAP_SYS_ADMIN', '-u', '0'])
      for (const set of ['CapInh', 'CapAmb']) t.is(root.caps(set), 0n, set)
      for (const set of ['CapEff', 'CapPrm', 'CapBnd']) t.true((root.caps(set) & (1n << 21n)) !== 0n, set)
      const plain = await statusIn(id, ['-u', '0'])
      t.is(plain.caps('CapBnd') & (1n << 21n), 0n)
    })
  },
)
