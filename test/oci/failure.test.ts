import { constants } from 'node:os'
import test from 'ava'
import { failureError } from '../../src/oci/failure.ts'
import type { Operation } from '../../src/oci/plan/operations.ts'

/** native/init/run.c: side, step, errno, call in 28 bytes, path. */
function payload(isChild: boolean, step: number, errno: number, call: string, path = ''): Buffer {
  const head = Buffer.alloc(40)
  head.writeUInt32LE(isChild ? 1 : 0, 0)
  head.writeUInt32LE(step, 4)
  head.writeUInt32LE(errno, 8)
  head.write(call, 12)
  return Buffer.concat([head, Buffer.from(`${path}\0`)])
}

const child: Operation[] = [
  { op: 'newSession' },
  { op: 'setRlimit', resource: 7, soft: 10n, hard: 1_000_000n },
]
const plan = { parent: [], child }

test('a limit that cannot be set is named, with its values and what it takes', (t) => {
  const error = failureError(payload(true, 1, constants.errno.EPERM, 'prlimit64'), plan, 'create', 'one')
  t.is(error.message, 'RLIMIT_NOFILE: cannot be set to soft 10, hard 1000000: EPERM')
  t.like(error, { path: 'process.rlimits', hint: 'raising a hard limit needs CAP_SYS_RESOURCE', id: 'one' })
})

test('other failures name the step, the call and the path', (t) => {
  const error = failureError(payload(true, 0, constants.errno.ENOENT, 'setsid', '/x'), plan, 'create', 'one')
  t.like(error, { op: 'create: newSession', path: '/x' })
})
