import test from 'ava'
import fc from 'fast-check'
import { landlockAnnotation, parseLandlock, rightsMask } from '../../src/oci/landlock.ts'

const parse = (policy: unknown) => parseLandlock({ [landlockAnnotation]: JSON.stringify(policy) })
const at = `annotations["${landlockAnnotation}"]`

test('without the annotation there is no policy', (t) => {
  t.is(parseLandlock(undefined), undefined)
  t.is(parseLandlock({ other: '{}' }), undefined)
})

test('groups of rights, rules, and all that is of a kind where nothing says what is handled', (t) => {
  const policy = parse({
    rules: {
      pathBeneath: [{ allowedAccess: ['read', 'execute'], paths: ['/', '/usr'] }],
      netPort: [{ allowedAccess: ['connect_tcp'], ports: [443] }],
    },
    ruleset: { scoped: ['signal'] },
  })
  t.deepEqual(
    policy?.paths.map(({ path }) => path),
    ['/', '/usr'],
  )
  t.deepEqual(policy?.paths[0]?.allowed.names, ['read_file', 'read_dir', 'execute'])
  t.is(policy?.handled.files.names.length, 16)
  t.deepEqual(policy?.handled.ports.names, ['bind_tcp', 'connect_tcp'])
  t.deepEqual(policy?.handled.scopes.names, ['signal'])
  t.true(policy?.bestEffort)
})

test('the bits are the kernel’s, as far as its ABI has them', (t) => {
  const all = { names: ['execute', 'make_sym', 'refer', 'truncate', 'ioctl_dev'], at: '' }
  t.deepEqual(rightsMask(all, 'files', 7), { bits: 0xf001n, missing: [] })
  t.deepEqual(rightsMask(all, 'files', 1), { bits: 0x1001n, missing: ['refer', 'truncate', 'ioctl_dev'] })
  t.deepEqual(rightsMask({ names: ['connect_tcp'], at: '' }, 'ports', 3).missing, ['connect_tcp'])
  t.deepEqual(rightsMask({ names: ['signal'], at: '' }, 'scopes', 6).bits, 2n)
})

const rule = { allowedAccess: ['read'], paths: ['/'] }
const refused: [path: string, policy: unknown][] = [
  [at, []],
  [`${at}.rule`, { rule: {} }],
  [`${at}.disableBestEffort`, { disableBestEffort: 'yes' }],
  [`${at}.ruleset.handledAccessFs`, { ruleset: { handledAccessFs: [] } }],
  [`${at}.ruleset.handledAccessFS[1]`, { ruleset: { handledAccessFS: ['execute', 'fly'] } }],
  [`${at}.ruleset.handledAccessFS[0]`, { ruleset: { handledAccessFS: ['constructor'] } }],
  [`${at}.ruleset.handledAccessNet[0]`, { ruleset: { handledAccessNet: ['read'] } }],
  [`${at}.rules.pathBeneath[0].paths[0]`, { rules: { pathBeneath: [{ ...rule, paths: ['usr'] }] } }],
  [`${at}.rules.pathBeneath[0].paths`, { rules: { pathBeneath: [{ allowedAccess: ['read'] }] } }],
  [`${at}.rules.pathBeneath[0].allowedAccess`, { rules: { pathBeneath: [{ ...rule, allowedAccess: [] }] } }],
  [`${at}.rules.netPort[0].ports[0]`, { rules: { netPort: [{ allowedAccess: ['all'], ports: [70000] }] } }],
  [
    `${at}.rules.pathBeneath[0].allowedAccess`,
    { ruleset: { handledAccessFS: ['execute'] }, rules: { pathBeneath: [rule] } },
  ],
]
for (const [index, [path, policy]] of refused.entries())
  test(`refused (${index}) at ${path}`, (t) => {
    t.like(
      t.throws(() => parse(policy)),
      { code: 'INVALID_ARGUMENT', path },
    )
  })

test('whatever the annotation holds, the answer is a policy or an INVALID_ARGUMENT', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        ruleset: fc.record(
          { handledAccessFS: fc.array(fc.constantFrom('all', 'read', 'x')) },
          { requiredKeys: [] },
        ),
        rules: fc.record({ pathBeneath: fc.array(fc.anything(), { maxLength: 3 }) }, { requiredKeys: [] }),
      })
      .map((value) => JSON.stringify(value)),
  )
  fc.assert(
    fc.property(text, (value) => {
      try {
        t.truthy(parseLandlock({ [landlockAnnotation]: value }))
      } catch (error) {
        t.like(error as object, { code: 'INVALID_ARGUMENT' })
      }
    }),
  )
})
