import test from 'ava'
import { Slots } from '../../src/image/slots.ts'
import { settle } from '../support/fake-clock.ts'

test('who gives up while it waits leaves the line, and its place goes to nobody twice', async (t) => {
  const slots = new Slots(1)
  const ran: string[] = []
  const end: (() => void)[] = []
  const task = (name: string) => async () => {
    ran.push(name)
    await new Promise<void>((resolve) => end.push(resolve))
  }
  const gone = new AbortController()
  const first = slots.run(task('first'))
  const second = slots.run(task('second'), gone.signal)
  const third = slots.run(task('third'))
  gone.abort(new Error('gone'))
  await t.throwsAsync(second, { message: 'gone' })
  await t.throwsAsync(slots.run(task('late'), gone.signal), { message: 'gone' })
  t.deepEqual(ran, ['first'])
  end.shift()?.()
  await first
  await settle()
  t.deepEqual(ran, ['first', 'third'])
  end.shift()?.()
  await third
  const fourth = slots.run(task('fourth'), gone.signal).catch((error: Error) => error.message)
  t.is(await fourth, 'gone')
  const fifth = slots.run(task('fifth'))
  await settle()
  t.deepEqual(ran, ['first', 'third', 'fifth'])
  end.shift()?.()
  await fifth
})
