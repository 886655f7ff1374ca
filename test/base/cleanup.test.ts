import test from 'ava'
import { Cleanup } from '../../src/base/index.ts'

function resource(name: string, log: string[]): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => void log.push(name) }
}

test('releases newest first', async (t) => {
  const log: string[] = []
  {
    await using undo = new Cleanup()
    await undo.use(resource('a', log))
    await undo.use(Promise.resolve(resource('b', log)))
    undo.defer(() => void log.push('c'))
  }
  t.deepEqual(log, ['c', 'b', 'a'])
})

test('keep hands everything over', async (t) => {
  const log: string[] = []
  {
    await using undo = new Cleanup()
    await undo.use(resource('a', log))
    undo.keep()
  }
  t.deepEqual(log, [])
})

test('a failing release does not stop the others', async (t) => {
  const log: string[] = []
  const leave = async () => {
    await using undo = new Cleanup()
    await undo.use(resource('a', log))
    undo.defer(() => Promise.reject(new Error('one')))
    undo.defer(() => Promise.reject(new Error('two')))
  }
  const error = await t.throwsAsync(leave, { instanceOf: AggregateError })
  t.is(error?.errors.length, 2)
  t.deepEqual(log, ['a'])
})
