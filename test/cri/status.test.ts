import { status as Grpc } from '@grpc/grpc-js'
import test from 'ava'
import fc from 'fast-check'
import { CriError } from '../../cri/error.ts'
import { errorOf, statusOf } from '../../cri/status.ts'
import { type ErrorCode, KeelsonError, SyscallError } from '../../src/base/index.ts'

const codes: Record<Exclude<ErrorCode, 'INTERNAL'>, Grpc> = {
  INVALID_ARGUMENT: Grpc.INVALID_ARGUMENT,
  FAILED_PRECONDITION: Grpc.FAILED_PRECONDITION,
  NOT_FOUND: Grpc.NOT_FOUND,
  ALREADY_EXISTS: Grpc.ALREADY_EXISTS,
  CONFLICT: Grpc.ABORTED,
  PERMISSION_DENIED: Grpc.PERMISSION_DENIED,
  UNAUTHENTICATED: Grpc.UNAUTHENTICATED,
  RESOURCE_EXHAUSTED: Grpc.RESOURCE_EXHAUSTED,
  UNAVAILABLE: Grpc.UNAVAILABLE,
  DEADLINE_EXCEEDED: Grpc.DEADLINE_EXCEEDED,
  CANCELLED: Grpc.CANCELLED,
  DATA_LOSS: Grpc.DATA_LOSS,
  UNIMPLEMENTED: Grpc.UNIMPLEMENTED,
  EXPIRED: Grpc.OUT_OF_RANGE,
}

test('every error code has a status of its own and comes back from it', (t) => {
  for (const [code, expected] of Object.entries(codes)) {
    const status = statusOf(new KeelsonError(code as ErrorCode, 'why'))
    t.deepEqual(status, { code: expected, details: 'why' })
    t.is(errorOf(Object.assign(new Error('x'), status)).code, code)
  }
  t.is(statusOf(new KeelsonError('INTERNAL', 'why')).code, Grpc.INTERNAL)
})

test('what carries no code is UNKNOWN and comes back as INTERNAL', (t) => {
  t.is(statusOf(new Error('x')).code, Grpc.UNKNOWN)
  t.is(statusOf('text').code, Grpc.UNKNOWN)
  t.is(statusOf(Object.assign(new Error('x'), { code: 'ENOENT' })).code, Grpc.UNKNOWN)
  t.is(errorOf(Object.assign(new Error('x'), { code: Grpc.UNKNOWN, details: 'x' })).code, 'INTERNAL')
  t.is(errorOf(new Error('x')).code, 'INTERNAL')
})

test('an abort is CANCELLED, a failed system call keeps its words, a hint follows the message', (t) => {
  t.is(statusOf(AbortSignal.abort().reason).code, Grpc.CANCELLED)
  t.deepEqual(statusOf(new SyscallError({ call: 'mount', errno: 'ENOENT', path: '/x', op: 'start' })), {
    code: Grpc.NOT_FOUND,
    details: 'start: mount /x: ENOENT',
  })
  t.is(statusOf(new KeelsonError('INTERNAL', 'bad', { hint: 'do this' })).details, 'bad: do this')
})

test('of a failure whose undo failed too, the failure is told', (t) => {
  const first = Object.assign(new Error('no address left'), { code: 'RESOURCE_EXHAUSTED' })
  const both = Object.assign(new Error('two'), {
    name: 'SuppressedError',
    suppressed: first,
    error: new Error('x'),
  })
  t.deepEqual(statusOf(both), { code: 8, details: 'no address left' })
})

test('a message is one bounded line, whatever the error says', (t) => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 9000, unit: fc.constantFrom('a', '\n', '\u0000', '\u001b', '\u0085', 'é') }),
      (message) => {
        const { details } = statusOf(new KeelsonError('INTERNAL', message))
        return !/\p{Cc}/u.test(details) && details.length <= 4096
      },
    ),
  )
  const again = errorOf(new CriError('NOT_FOUND', 'x'))
  t.is(again.code, 'NOT_FOUND')
})

test('an unreachable registry has the word that kubelets look for, on a pull only', (t) => {
  const error = new KeelsonError('UNAVAILABLE', 'registry a does not answer', { hint: 'wait' })
  const status = statusOf(error, 'pullImage')
  t.deepEqual(status, {
    code: Grpc.UNKNOWN,
    details: 'RegistryUnavailable: registry a does not answer: wait',
  })
  const back = errorOf(Object.assign(new Error('x'), status))
  t.like(back, { code: 'UNAVAILABLE', message: 'registry a does not answer: wait' })
  t.is(statusOf(error, 'runPodSandbox').code, Grpc.UNAVAILABLE)
})

test('half a character, from an image or from the cut, does not reach gRPC, which would throw at it', (t) => {
  const unit = fc.constantFrom('a', '\ud800', '\udc00', '🦀')
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 30 }), fc.integer({ min: 4090, max: 4100 }), (parts, filling) => {
      const message = `${parts.join('')}${'x'.repeat(filling)}🦀🦀${parts.join('')}`
      const { details } = statusOf(new KeelsonError('INTERNAL', message), 'pullImage')
      t.notThrows(() => encodeURI(details))
    }),
  )
})

test('what had no room says so, whoever threw it', (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  t.deepEqual(statusOf(full), { code: Grpc.RESOURCE_EXHAUSTED, details: full.message })
  t.is(errorOf(Object.assign(new Error('x'), statusOf(full))).code, 'RESOURCE_EXHAUSTED')
})
