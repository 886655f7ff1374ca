import test from 'ava'
import type { Context } from '../../../src/cli/context.ts'
import { barLine, progressOf } from '../../../src/cli/image/progress.ts'
import type { PullProgress } from '../../../src/image/index.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const event = (digest: string, status: PullProgress['status'], currentBytes: number): PullProgress => ({
  digest: `sha256:${digest.repeat(64)}`,
  status,
  currentBytes,
  totalBytes: 2_000_000,
})

function scene(isTerminal: boolean) {
  const written: string[] = []
  const lines: string[] = []
  const clock = new FakeClock()
  const terminal = { columns: () => 80, write: (text: string) => void written.push(text) }
  const context = {
    clock,
    terminal: isTerminal ? terminal : undefined,
    notice: (line: string) => void lines.push(line),
  }
  return {
    clock,
    written,
    lines,
    context: context as Pick<Context, 'clock' | 'notice' | 'terminal'> as Context,
  }
}

test('without a terminal: a line when a layer begins and one when it is there', (t) => {
  const { lines, context } = scene(false)
  const progress = progressOf(context, false)
  for (const one of [
    event('a', 'waiting', 0),
    event('a', 'downloading', 1),
    event('a', 'downloading', 1_000_000),
    event('b', 'exists', 2_000_000),
    event('a', 'unpacking', 2_000_000),
    event('a', 'done', 2_000_000),
  ])
    progress.show(one)
  progress.end()
  t.deepEqual(lines, [
    'aaaaaaaaaaaa: downloading (2MB)',
    'bbbbbbbbbbbb: is there already (2MB)',
    'aaaaaaaaaaaa: done (2MB)',
  ])
})

test('on a terminal: a bar a layer, drawn over the last ones, and not for every event', async (t) => {
  const { clock, written, context } = scene(true)
  const progress = progressOf(context, false)
  for (let bytes = 0; bytes < 1000; bytes++) progress.show(event('a', 'downloading', bytes * 1000))
  t.is(written.length, 0)
  await clock.advance(100)
  t.is(written.length, 1)
  progress.show(event('b', 'waiting', 0))
  progress.end()
  t.is(written.length, 2)
  t.true(written[1]?.startsWith('\x1b[1A'), 'up by the one line that was there')
  t.is(written[1]?.split('\x1b[K\n').length, 3)
})

test('a quiet pull shows nothing', (t) => {
  const { lines, written, context } = scene(true)
  const progress = progressOf(context, true)
  progress.show(event('a', 'done', 1))
  progress.end()
  t.deepEqual([...lines, ...written], [])
})

test('a bar is as full as its layer, also one of no bytes', (t) => {
  t.regex(barLine(event('a', 'downloading', 1_000_000)), /^a{12} {2}█{12}░{12} {2}1MB\/2MB/)
  t.regex(barLine({ ...event('a', 'done', 0), totalBytes: 0 }), /█{24}/)
})
