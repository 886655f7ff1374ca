/** The connection by itself: what it keeps for a client that does not read, and how long it stays. */
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { mock } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { serveStreaming } from '../../../cri/streaming/index.ts'
import { SpdyChannel } from '../../../cri/streaming/spdy-channel.ts'
import { acceptSpdy } from '../../../cri/streaming/spdy-connection.ts'
import { controlFrame, controlKind, FrameReader } from '../../../cri/streaming/spdy-frames.ts'
import { SpdyClient } from '../../support/spdy-client.ts'

/** The server's socket: its client sends by `push` and reads from when it is let. */
class Socket extends Duplex {
  readonly #sent: Buffer[] = []
  #isRead = false
  #next = () => {}

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#sent.push(chunk)
    if (this.#isRead) done()
    else this.#next = done
  }

  startReading(): void {
    this.#isRead = true
    this.#next()
  }

  kinds(): number[] {
    const frames = [...new FrameReader().feed(Buffer.concat(this.#sent))]
    return frames.map((frame) => (frame.type === 'control' ? frame.kind : -1))
  }
}

function accept(): { socket: Socket; close: () => void; errors: Error[] } {
  const errors: Error[] = []
  const socket = new Socket()
  const connection = acceptSpdy(
    socket,
    () => undefined,
    (error) => errors.push(error),
  )
  return { socket, errors, close: () => connection.close() }
}

test('a flood of PINGs whose answers are not read is not read either, and answered once they are', async (t) => {
  const { socket, errors } = accept()
  const pings = 20_000
  const ping = controlFrame(controlKind.ping, [1])
  for (let i = 0; i < pings; i += 1000) socket.push(Buffer.concat(Array.from({ length: 1000 }, () => ping)))
  await sleep(100)
  t.true(socket.writableLength <= 1001 * ping.length, `${socket.writableLength} bytes wait`)
  socket.startReading()
  for (let i = 0; i < 200 && socket.kinds().length < pings; i++) await sleep(10)
  t.is(socket.kinds().filter((kind) => kind === controlKind.ping).length, pings)
  t.deepEqual(errors, [])
  socket.destroy()
})

test('a flood that nobody reads ends with the connection', async (t) => {
  const { socket, close } = accept()
  const ping = controlFrame(controlKind.ping, [1])
  socket.push(Buffer.concat(Array.from({ length: 3000 }, () => ping)))
  await sleep(20)
  close()
  socket.push(null)
  socket.startReading()
  await sleep(20)
  t.true(socket.destroyed)
})

test('a reset is not answered by a reset', async (t) => {
  await using server = await serveStreaming()
  const client = await SpdyClient.dial(
    server.portForward([80], async () => Promise.reject(new Error('no'))),
    ['portforward.k8s.io'],
  )
  const stream = await client.open({ streamtype: 'error', port: '80', requestid: '0' })
  client.socket.write(controlFrame(controlKind.rstStream, [stream.id, 5]))
  await client.open({ streamtype: 'error', port: '80', requestid: '1' })
  t.false(stream.destroyed)
  client.socket.destroy()
})

test('a client has minutes to read what is on its way, then it is left', async (t) => {
  const { socket, close } = accept()
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    close()
    mock.timers.tick(2 * 60_000)
    t.false(socket.destroyed)
    mock.timers.tick(8 * 60_000)
    t.true(socket.destroyed)
  } finally {
    mock.timers.reset()
  }
})

test('a stream that filled up and ended holds the connection until it is read, and no longer', async (t) => {
  const held = new Set<SpdyChannel>()
  const channel = new SpdyChannel(
    {
      reply: (_id, done) => done(),
      data: (_id, _chunk, done) => done(),
      fin: (_id, done) => done(),
      forget: () => undefined,
      hold: (one) => held.add(one),
      release: (one) => held.delete(one),
    },
    1,
    {},
  )
  for (let i = 0; i < 17; i++) channel.receive(Buffer.alloc(64 * 1024), i === 16)
  t.is(held.size, 1)
  channel.resume()
  await once(channel, 'end')
  await setImmediate()
  t.is(held.size, 0)
  channel.destroy()
})
