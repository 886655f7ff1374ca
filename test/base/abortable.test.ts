import { getEventListeners } from 'node:events'
import test from 'ava'
import { abortable } from '../../src/base/index.ts'

const never = new Promise<never>(() => {})

test('the result or the failure of the work comes through, and the signal is let go', async (t) => {
  const { signal } = new AbortController()
  t.is(await abortable(Promise.resolve(1), signal), 1)
  t.is(await abortable(Promise.resolve(2), undefined), 2)
  await t.throwsAsync(abortable(Promise.reject(new Error('no')), signal), { message: 'no' })
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('an abort ends the waiting with its reason, before or during it', async (t) => {
  const abort = new AbortController()
  const waiting = abortable(never, abort.signal)
  abort.abort(new Error('enough'))
  await t.throwsAsync(waiting, { message: 'enough' })
  await t.throwsAsync(abortable(never, abort.signal), { message: 'enough' })
})

test('a failure after the abort disturbs nobody', async (t) => {
  const abort = new AbortController()
  const late = deferred()
  const waiting = abortable(late.promise, abort.signal)
  abort.abort(new Error('enough'))
  await t.throwsAsync(waiting, { message: 'enough' })
  late.reject(new Error('late'))
  await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection would end this process
  t.pass()
})

function deferred() {
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((_resolve, fail) => {
    reject = fail
  })
  return { promise, reject }
}
