import test from 'ava'
import { UnaryCall } from '../../cri/unary-call.ts'

test('a cancelled call aborts the signal, whenever it is asked for', (t) => {
  const [before, after] = [new UnaryCall(), new UnaryCall()]
  const { signal } = before
  before.cancel()
  after.cancel()
  t.true(signal.aborted)
  t.true(after.signal.aborted)
  t.is(before.signal, signal, 'it is one and the same')
})

test('after the answer nothing is cancelled any more', (t) => {
  const call = new UnaryCall()
  const { signal } = call
  call.answered()
  call.cancel()
  t.false(signal.aborted)
})
