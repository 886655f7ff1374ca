import test from 'ava'
import { compileLandlock } from '../../../src/oci/compile/landlock.ts'
import { landlockAnnotation, parseLandlock } from '../../../src/oci/landlock.ts'

const parse = (policy: unknown) => parseLandlock({ [landlockAnnotation]: JSON.stringify(policy) })
const rules = {
  pathBeneath: [{ allowedAccess: ['execute', 'read'], paths: ['/bin'] }],
  netPort: [{ allowedAccess: ['connect_tcp'], ports: [80] }],
}

test('ruleset, then rules; what only directories have is not asked of a file', (t) => {
  t.deepEqual(compileLandlock(parse({ rules, ruleset: { scoped: ['all'] } }), 7), {
    prepare: [
      { op: 'makeRuleset', files: 0xffffn, ports: 3n, scope: 3n },
      { op: 'allowPath', path: '/bin', onDirectory: 0b1101n, onFile: 0b101n, flags: 0 },
      { op: 'allowPort', rights: 2n, port: 80n },
    ],
    enforce: [{ op: 'restrictSelf' }],
    notices: [],
  })
})

test('best effort: an older kernel handles what it knows, and what it does not is told', (t) => {
  const { prepare, notices } = compileLandlock(parse({ rules }), 2)
  t.like(prepare[0], { files: 0x3fffn, ports: 0n })
  t.is(prepare.length, 2)
  t.is(notices.length, 2)
  t.regex(
    notices[0] ?? '',
    /handledAccessFS: this kernel’s Landlock is version 2, without truncate, ioctl_dev/,
  )
})

test('best effort on a kernel without Landlock is no confinement, and that is told', (t) => {
  const { prepare, enforce, notices } = compileLandlock(parse({ rules }), 0)
  t.deepEqual([...prepare, ...enforce], [])
  t.regex(notices.join(), /no Landlock/)
})

test('without best effort it is refused at the list that asks for too much', (t) => {
  const policy = parse({ rules, disableBestEffort: true })
  t.like(
    t.throws(() => compileLandlock(policy, 3)),
    { code: 'FAILED_PRECONDITION', path: `annotations["${landlockAnnotation}"].ruleset.handledAccessFS` },
  )
  t.like(compileLandlock(policy, 7).prepare[1], { flags: 1 }, 'and a path that is not there fails')
})
