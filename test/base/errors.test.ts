import { open } from 'node:fs/promises'
import test from 'ava'
import { asKeelsonError, hasCode, hasErrno, KeelsonError, SyscallError } from '../../src/base/index.ts'

test('a failed system call names call, path and errno, and its code follows from the errno', (t) => {
  const error = new SyscallError({ call: 'mount', errno: 'EPERM', path: '/proc', op: 'create' })
  t.is(error.message, 'create: mount /proc: EPERM')
  t.is(error.code, 'PERMISSION_DENIED')
  t.true(error instanceof KeelsonError)
  t.like(error.toJSON(), { code: 'PERMISSION_DENIED', call: 'mount', errno: 'EPERM', path: '/proc' })
})

test('errors of Node become ours, ours stay themselves', async (t) => {
  const error = await t.throwsAsync(open('/no/such/file'))
  const ours = asKeelsonError(error, { op: 'read config' })
  t.true(ours instanceof SyscallError)
  t.true(hasCode(ours, 'NOT_FOUND'))
  t.true(hasErrno(ours, 'ENOENT'))
  t.is(ours.path, '/no/such/file')
  t.is(ours.cause, error)
  t.is(asKeelsonError(ours), ours)
})

test('an abort is a cancellation; anything else is internal and keeps its cause', (t) => {
  t.is(asKeelsonError(AbortSignal.abort().reason).code, 'CANCELLED')
  const odd = asKeelsonError('odd')
  t.is(odd.code, 'INTERNAL')
  t.is(odd.message, 'odd')
})

test('of a failure and a disposal that failed after it, the first counts', async (t) => {
  const error = await t.throwsAsync(async () => {
    await using _ = { [Symbol.asyncDispose]: () => Promise.reject(new Error('undo failed')) }
    throw new KeelsonError('NOT_FOUND', 'no such image')
  })
  t.like(asKeelsonError(error), { code: 'NOT_FOUND', message: 'no such image' })
})
