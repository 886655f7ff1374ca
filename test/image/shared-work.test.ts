import test from 'ava'
import { SharedWork } from '../../src/image/shared-work.ts'

/** Work whose end the test decides. */
function controlled() {
  let starts = 0
  let finish: (value: string) => void = () => undefined
  let fail: (error: unknown) => void = () => undefined
  const signals: AbortSignal[] = []
  return {
    start: (signal: AbortSignal) => {
      starts += 1
      signals.push(signal)
      return new Promise<string>((resolve, reject) => {
        finish = resolve
        fail = reject
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    },
    finish: (value: string) => finish(value),
    fail: (error: unknown) => fail(error),
    signals,
    get starts() {
      return starts
    },
  }
}

test('callers of one name share one run; the next after it starts anew', async (t) => {
  const shared = new SharedWork<string>()
  const work = controlled()
  const both = [shared.run('a', work.start), shared.run('a', work.start)]
  work.finish('x')
  t.deepEqual(await Promise.all(both), ['x', 'x'])
  t.is(work.starts, 1)
  const again = shared.run('a', work.start)
  work.finish('y')
  t.is(await again, 'y')
  t.is(work.starts, 2)
})

test('one caller may leave; the work ends only with the last', async (t) => {
  const shared = new SharedWork<string>()
  const work = controlled()
  const [one, two] = [new AbortController(), new AbortController()]
  const first = shared.run('a', work.start, one.signal)
  const second = shared.run('a', work.start, two.signal)
  one.abort(new Error('first leaves'))
  await t.throwsAsync(() => first, { message: 'first leaves' })
  t.false(work.signals[0]?.aborted)
  two.abort(new Error('second leaves'))
  await t.throwsAsync(() => second, { message: 'second leaves' })
  t.true(work.signals[0]?.aborted)
  await shared.idle()
})

test('a failure is not remembered, and who had joined tries once by its own means', async (t) => {
  const shared = new SharedWork<string>()
  const [first, second, third] = [controlled(), controlled(), controlled()]
  const callers = [first, second, third].map(({ start }) => shared.run('a', start))
  const [one, two, three] = callers.map((caller) => t.throwsAsync(caller))
  first.fail(new Error('no'))
  t.is((await one)?.message, 'no')
  t.deepEqual([second.starts, third.starts], [1, 0], 'the third joins the second')
  second.fail(new Error('not either'))
  t.is((await two)?.message, 'not either')
  t.deepEqual([second.starts, third.starts], [1, 1])
  third.fail(new Error('nobody can'))
  t.is((await three)?.message, 'nobody can')
  const work = controlled()
  const again = shared.run('a', work.start)
  work.finish('z')
  t.is(await again, 'z')
})

test('who has joined work that fails later than it gave up starts nothing', async (t) => {
  const shared = new SharedWork<string>()
  const [first, second] = [controlled(), controlled()]
  const stop = new AbortController()
  const one = t.throwsAsync(shared.run('a', first.start), { message: 'no' })
  const two = t.throwsAsync(shared.run('a', second.start, stop.signal), { message: 'left' })
  stop.abort(new Error('left'))
  first.fail(new Error('no'))
  await Promise.all([one, two])
  t.is(second.starts, 0)
})

test('who has left already starts nothing', async (t) => {
  const shared = new SharedWork<string>()
  const work = controlled()
  await t.throwsAsync(() => shared.run('a', work.start, AbortSignal.abort(new Error('gone'))), {
    message: 'gone',
  })
  t.is(work.starts, 0)
})
