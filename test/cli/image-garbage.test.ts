/** When the disk of the images is looked at, and what is told of it. */
import test from 'ava'
import { createLogger } from '../../src/base/index.ts'
import { ImageGarbage, type ImageGarbageOptions } from '../../src/cli/image-garbage.ts'
import type { Collected, Image } from '../../src/image/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const policy = { highPercent: 85, lowPercent: 80, minAgeMs: 5, intervalMs: 1000 }
const nothing: Collected = { images: [], bytes: 0, missingBytes: 0 }

function scene(answer: () => Promise<Collected>, more: Partial<ImageGarbageOptions> = {}) {
  const clock = new FakeClock()
  const lines: Record<string, unknown>[] = []
  const log = createLogger({ write: (line) => lines.push(JSON.parse(line)), nowMs: () => clock.nowMs() })
  let looks = 0
  const collectGarbage = async () => {
    looks += 1
    return answer()
  }
  const garbage = new ImageGarbage({ images: { collectGarbage }, policy, clock, log, ...more })
  return { clock, lines, garbage, looks: () => looks }
}

test('at each interval, one look at a time, and none after the end', async (t) => {
  let end: () => void = () => undefined
  const slow = () =>
    new Promise<Collected>((resolve) => {
      end = () => resolve(nothing)
    })
  const { clock, garbage, looks } = scene(slow)
  await clock.advance(999)
  t.is(looks(), 0)
  await clock.advance(1)
  t.is(looks(), 1)
  await clock.advance(5000)
  t.is(looks(), 1, 'the first goes on')
  end()
  await clock.advance(1000)
  t.is(looks(), 2)
  let closed = false
  const closing = garbage[Symbol.asyncDispose]().then(() => {
    closed = true
  })
  await clock.advance(0)
  t.false(closed, 'it waits for what is being removed')
  end()
  await closing
  await clock.advance(5000)
  t.is(looks(), 2)
  t.is(clock.pending, 0)
})

test('at 100 percent it is off', (t) => {
  const { clock } = scene(async () => nothing, { policy: { ...policy, highPercent: 100 } })
  t.is(clock.pending, 0)
})

test('what went is a line and a count; a disk that stays too full and a failure are warnings', async (t) => {
  const image = (id: string, ...repoTags: string[]) => ({ id, repoTags }) as unknown as Image
  const freed = { images: [image('sha256:1', 'host/a:1', 'host/b:1'), image('sha256:2')], bytes: 7 }
  const answers: (() => Collected)[] = [
    () => ({ ...freed, missingBytes: 0 }),
    () => nothing,
    () => ({ ...nothing, missingBytes: 3 }),
    () => {
      throw new Error('broken')
    },
  ]
  const counted: Collected[] = []
  const collected = (one: Collected) => void counted.push(one)
  const { clock, lines } = scene(async () => (answers.shift() ?? (() => nothing))(), { collected })
  await clock.advance(5000)
  t.is(counted.length, 4, 'a failure is none, and the next look comes')
  t.deepEqual(
    lines.map(({ level, images, freedBytes, missingBytes, error }) => ({
      level,
      images,
      freedBytes,
      missingBytes,
      error: error !== undefined,
    })),
    [
      {
        level: 'info',
        images: ['host/a:1', 'sha256:2'],
        freedBytes: 7,
        missingBytes: undefined,
        error: false,
      },
      { level: 'warn', images: undefined, freedBytes: undefined, missingBytes: 3, error: false },
      { level: 'warn', images: undefined, freedBytes: undefined, missingBytes: undefined, error: true },
    ],
  )
})
