import test from 'ava'
import { SharedWait } from '../../src/oci/shared-wait.ts'

function scene() {
  const begun: AbortSignal[] = []
  let finish: (value: string) => void = () => undefined
  const shared = new SharedWait<string>((signal) => {
    begun.push(signal)
    return new Promise((resolve, reject) => {
      finish = resolve
      signal.addEventListener('abort', () => reject(new Error('given up')))
    })
  })
  return { shared, begun, finish: (value: string) => finish(value) }
}

test('any number of waiters share one piece of work, and its result is kept', async (t) => {
  const { shared, begun, finish } = scene()
  const both = [shared.wait(), shared.wait()]
  finish('done')
  t.deepEqual(await Promise.all(both), ['done', 'done'])
  t.is(await shared.wait(), 'done')
  t.is(begun.length, 1)
})

test('it is given up when the last waiter goes, not before, and begun anew for the next', async (t) => {
  const { shared, begun, finish } = scene()
  const [first, second] = [new AbortController(), new AbortController()]
  const waits = [shared.wait(first.signal), shared.wait(second.signal)]
  first.abort()
  await t.throwsAsync(waits[0] ?? Promise.resolve(''), { any: true })
  t.false(begun[0]?.aborted)
  second.abort()
  await t.throwsAsync(waits[1] ?? Promise.resolve(''), { any: true })
  t.true(begun[0]?.aborted)
  const next = shared.wait()
  finish('late')
  t.is(await next, 'late')
  t.is(begun.length, 2)
})
