import { PassThrough, Writable } from 'node:stream'
import test from 'ava'
import type { ClientStreams } from '../../cri/service.ts'
import { connectStreams, flushedOrQuiet } from '../../src/pod/streams.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'

function start(flushed: Promise<void> = new Promise(() => undefined)) {
  const clock = new FakeClock()
  const gone = new AbortController()
  let taken = () => {}
  const stdout = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      taken = done
    },
  })
  const client: ClientStreams = { stdout, onResize: () => undefined, signal: gone.signal }
  const state = { hasEnded: false }
  const ended = flushedOrQuiet(flushed, client, clock).then(() => {
    state.hasEnded = true
  })
  return { clock, gone, stdout, state, ended, take: () => taken() }
}

test('a process that has ended, with all its output taken, is waited for no more', async (t) => {
  const { ended, state } = start(Promise.resolve())
  await ended
  t.true(state.hasEnded)
})

test('output that stays open and silent has a second', async (t) => {
  const { clock, state } = start()
  await clock.advance(900)
  t.false(state.hasEnded)
  await clock.advance(200)
  t.true(state.hasEnded)
})

test('the time in which the client is slow to take the output does not count', async (t) => {
  const { clock, stdout, take, state } = start()
  stdout.write('much')
  await clock.advance(60_000)
  t.false(state.hasEnded)
  take()
  await clock.advance(900)
  t.false(state.hasEnded)
  await clock.advance(200)
  t.true(state.hasEnded)
})

test('a client that leaves without taking the output is waited for no more', async (t) => {
  const { clock, stdout, gone, state } = start()
  stdout.write('much')
  await clock.advance(5000)
  gone.abort()
  await clock.advance(100)
  await settle()
  t.true(state.hasEnded)
})

test('a client that closes one output does not stop the process, which may write on', async (t) => {
  const output = new PassThrough()
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done() })
  const client: ClientStreams = { stdout, onResize: () => undefined, signal: new AbortController().signal }
  const joined = connectStreams({ stdout: output }, client)
  output.write('a')
  await settle()
  stdout.destroy()
  await settle()
  for (let i = 0; i < 10; i++) output.write(Buffer.alloc(64 * 1024))
  output.end()
  await joined
  t.true(output.readableEnded)
})
