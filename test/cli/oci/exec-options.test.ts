import test from 'ava'
import { processOf } from '../../../src/cli/oci/exec-options.ts'

const base = {
  cwd: '/',
  terminal: true,
  env: ['A=1'],
  user: { uid: 5, gid: 6, additionalGids: [7] },
  capabilities: { bounding: ['CAP_KILL'], inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
}
const command = ['id']

test('what is not named stays, the terminal is only what is asked for now', (t) => {
  t.deepEqual(processOf(base, { command }), { ...base, args: ['id'], terminal: false })
})

test('-u takes decimal ids and nothing else (CVE-2026-30892)', (t) => {
  const user = (text: string) => processOf(base, { command, user: text }).user
  t.like(user('1'), { uid: 1, gid: 6 })
  t.like(user('1:2'), { uid: 1, gid: 2 })
  t.like(user('01'), { uid: 1, gid: 6 })
  for (const wrong of ['', '1:', ':2', ' 1', '1 ', '-1', '0x1', '1e3', 'root', '1:2:3', '42949672960'])
    t.throws(() => user(wrong), { code: 'INVALID_ARGUMENT' }, wrong)
})

test('--cap adds to the bounding, effective and permitted sets, never to what children inherit (CVE-2022-29162)', (t) => {
  const { capabilities } = processOf(base, { command, cap: ['CAP_CHOWN'] })
  t.deepEqual(capabilities, {
    bounding: ['CAP_KILL', 'CAP_CHOWN'],
    effective: ['CAP_CHOWN'],
    permitted: ['CAP_CHOWN'],
    inheritable: ['CAP_KILL'],
    ambient: ['CAP_KILL'],
  })
})

test('environment and groups are added', (t) => {
  const process = processOf(base, { command, env: ['B=2'], 'additional-gids': ['8', '9'] })
  t.deepEqual(process.env, ['A=1', 'B=2'])
  t.deepEqual(process.user?.additionalGids, [7, 8, 9])
  t.throws(() => processOf(base, { command, 'additional-gids': ['wheel'] }), { code: 'INVALID_ARGUMENT' })
})
