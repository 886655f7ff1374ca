import test from 'ava'
import fc from 'fast-check'
import {
  type DeepPartial,
  LinuxContainerSecurityContext,
  SupplementalGroupsPolicy,
} from '../../../cri/types.ts'
import { KeelsonError } from '../../../src/base/index.ts'
import { resolveUser } from '../../../src/pod/spec/user.ts'

const passwd = 'root:x:0:0:root:/root:/bin/sh\n# no\nweb:x:33:34::/:\nbad line\nnobody:x:65534:65534::/:\n'
const group = 'root:x:0:\nweb:x:34:\nlogs:x:90:web,nobody\nops:x:91: web \n'

type Security = DeepPartial<LinuxContainerSecurityContext>

function resolve(security: Security, imageUser = '', files = { passwd, group }) {
  return resolveUser({ security: LinuxContainerSecurityContext.fromPartial(security), imageUser, ...files })
}

const table: [
  title: string,
  security: Security,
  imageUser: string,
  uid: number,
  gid: number,
  gids: number[],
][] = [
  ['nothing asked is root', {}, '', 0, 0, [0]],
  ["the image's user by name, with its groups", {}, 'web', 33, 34, [34, 90, 91]],
  ["the image's user and group by name", {}, 'web:logs', 33, 90, [90, 91]],
  ["the image's numbers need no entry", {}, '1234:4321', 1234, 4321, [4321]],
  ['a number with an entry has its group', {}, '33', 33, 34, [34, 90, 91]],
  ['a number without one has group 0', {}, '1234', 1234, 0, [0]],
  [
    "run_as_user beats the image's user and its group",
    { runAsUser: { value: 1000n } },
    'web:logs',
    1000,
    0,
    [0],
  ],
  ['run_as_user 0 is root', { runAsUser: { value: 0n } }, 'web', 0, 0, [0]],
  ['run_as_username', { runAsUsername: 'web' }, '', 33, 34, [34, 90, 91]],
  ['run_as_group', { runAsUser: { value: 33n }, runAsGroup: { value: 7n } }, '', 33, 7, [7, 90, 91]],
  ['extra groups, once each', { supplementalGroups: [5n, 90n] }, 'web', 33, 34, [34, 5, 90, 91]],
  [
    'strict: only the extra groups asked for',
    { supplementalGroups: [5n], supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict },
    'web',
    33,
    34,
    [34, 5],
  ],
]

for (const [title, security, imageUser, uid, gid, additionalGids] of table)
  test(title, (t) => {
    t.deepEqual(resolve(security, imageUser), { uid, gid, additionalGids })
  })

const refused: [title: string, security: Security, imageUser: string, message: RegExp][] = [
  ['a group without a user', { runAsGroup: { value: 1n } }, '', /run_as_group needs/],
  ['a name the image does not know', { runAsUsername: 'eve' }, '', /no user eve/],
  ["the image's own unknown user", {}, 'eve', /no user eve/],
  ["the image's own unknown group", {}, 'web:eve', /no group eve/],
  ['a negative number', { runAsUser: { value: -1n } }, '', /./],
  ['(uid_t)-1', { runAsUser: { value: 4294967295n } }, '', /not a user or group number/],
]

for (const [title, security, imageUser, message] of refused)
  test(`refused: ${title}`, (t) => {
    const error = t.throws(() => resolve(security, imageUser), { instanceOf: KeelsonError, message })
    t.is(error.code, 'INVALID_ARGUMENT')
  })

test('whatever /etc/passwd and /etc/group hold, a number resolves to itself and never throws', (t) => {
  const property = fc.property(
    fc.string(),
    fc.string(),
    fc.nat({ max: 2 ** 32 - 2 }),
    (passwdText, groupText, uid) => {
      const named = passwdText.split('\n').some((line) => line.trim().split(':')[0] === String(uid))
      const files = { passwd: passwdText, group: groupText }
      const user = resolve({ runAsUser: { value: BigInt(uid) } }, '', files)
      return named || (user.uid === uid && user.additionalGids[0] === user.gid)
    },
  )
  t.notThrows(() => fc.assert(property))
})
