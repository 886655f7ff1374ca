import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readResctrl } from '../../src/oci/host-facts.ts'
import { compileRdt, enrolChild, removeRdt } from '../../src/oci/intel-rdt.ts'
import type { Operation } from '../../src/oci/plan/operations.ts'
import type { IntelRdt } from '../../src/oci/spec.ts'
import { plainHost } from '../support/host-facts.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** A directory that looks like resctrl of a processor with cache and bandwidth control, and one class. */
async function fakeResctrl() {
  const directory = await temporaryDirectory()
  const root = directory.path
  for (const name of ['L3', 'MB', 'L3_MON']) mkdirSync(join(root, 'info', name), { recursive: true })
  mkdirSync(join(root, 'gold'))
  writeFileSync(join(root, 'schemata'), 'L3:0=fffff\n')
  writeFileSync(join(root, 'gold/schemata'), '    MB:0=100;1=100\n    L3:0=00ff0;1=fffff\n')
  const resctrl = readResctrl(`proc /proc proc rw 0 0\nresctrl ${root} resctrl rw 0 0\n`)
  if (!resctrl) throw new Error('resctrl was not found')
  return {
    root,
    compile: (rdt: IntelRdt) => compileRdt(rdt, 'box', { ...plainHost, resctrl }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}

test('a class of the container’s own: made, limited, joined, and gone with it', async (t) => {
  await using fake = await fakeResctrl()
  const compiled = fake.compile({ l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=50', enableMonitoring: true })
  const group = join(fake.root, 'box')
  const line = (text: string): Operation => ({
    op: 'writeFile',
    path: `${group}/schemata`,
    data: Buffer.from(text),
    flags: 0,
  })
  t.deepEqual(compiled?.make, [
    { op: 'makeDirectory', path: group, mode: 0o755 },
    line('L3:0=f\n'),
    line('MB:0=50\n'),
    { op: 'makeDirectory', path: `${group}/mon_groups/box`, mode: 0o755 },
  ])
  t.deepEqual(
    enrolChild(compiled ?? { groups: [] }).map((one) => one.op === 'enrolChild' && one.path),
    [`${group}/tasks`, `${group}/mon_groups/box/tasks`],
  )
  mkdirSync(`${group}/mon_groups/box`, { recursive: true })
  t.deepEqual(compiled?.owned, [`${group}/mon_groups/box`, group])
  await t.throwsAsync(
    removeRdt(compiled),
    undefined,
    'an ordinary directory still holds mon_groups; resctrl’s goes',
  )
  t.false(existsSync(`${group}/mon_groups/box`))
})

test('a named class is joined, keeps its limits, and stays when the container goes', async (t) => {
  await using fake = await fakeResctrl()
  const compiled = fake.compile({ closID: 'gold', schemata: ['L3:0=ff0'] })
  t.deepEqual(compiled?.groups, [join(fake.root, 'gold')])
  t.deepEqual(compiled?.owned, [])
  await removeRdt(compiled)
  t.true(readFileSync(join(fake.root, 'gold/schemata'), 'utf8').includes('L3'))
  t.deepEqual(fake.compile({ closID: '/', enableMonitoring: true })?.groups.slice(1), [
    join(fake.root, 'mon_groups/box'),
  ])
})

const refused: [path: string, code: string, rdt: IntelRdt][] = [
  ['linux.intelRdt.closID', 'INVALID_ARGUMENT', { closID: '../x' }],
  ['linux.intelRdt.closID', 'INVALID_ARGUMENT', { closID: 'info' }],
  ['linux.intelRdt.closID', 'FAILED_PRECONDITION', { closID: 'silver' }],
  ['linux.intelRdt.l3CacheSchema', 'INVALID_ARGUMENT', { l3CacheSchema: 'all of it' }],
  ['linux.intelRdt.l3CacheSchema', 'FAILED_PRECONDITION', { l3CacheSchema: 'L2:0=f' }],
  ['linux.intelRdt.memBwSchema', 'INVALID_ARGUMENT', { memBwSchema: 'L3:0=f' }],
  [
    'linux.intelRdt.schemata[1]',
    'FAILED_PRECONDITION',
    { closID: 'gold', schemata: ['L3:0=ff0', 'MB:1=10'] },
  ],
]
for (const [index, [path, code, rdt]] of refused.entries())
  test(`refused (${index}) at ${path}: ${JSON.stringify(rdt)}`, async (t) => {
    await using fake = await fakeResctrl()
    t.like(
      t.throws(() => fake.compile(rdt)),
      { code, path },
    )
  })

test('where no resctrl is mounted it is refused by name', (t) => {
  t.is(readResctrl('proc /proc proc rw 0 0\n'), undefined)
  t.like(
    t.throws(() => compileRdt({ closID: 'gold' }, 'box', plainHost)),
    {
      code: 'FAILED_PRECONDITION',
      path: 'linux.intelRdt',
      message: 'linux.intelRdt: Intel RDT is asked for, but no resctrl file system is mounted',
    },
  )
  t.is(compileRdt(undefined, 'box', plainHost), undefined)
})
