/** Clients that send what no client should: the server lives, and serves the next one. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import type { StreamSession, WantedStreams } from '../../../cri/service.ts'
import { serveStreaming } from '../../../cri/streaming/index.ts'
import { controlFrame, controlKind, dataHead } from '../../../cri/streaming/spdy-frames.ts'
import { gather } from '../../support/gather.ts'
import { SpdyClient, upgrade } from '../../support/spdy-client.ts'

const runs = process.env['KEELSON_TEST_FULL'] === '1' ? 5000 : 150
const wanted: WantedStreams = { stdin: true, stdout: true, stderr: false, tty: false }
const versions = ['v4.channel.k8s.io']

/** `cat` */
const echo: StreamSession = async ({ stdin, stdout, signal }) => {
  signal.addEventListener('abort', () => stdin?.destroy())
  if (stdin && stdout) for await (const chunk of stdin) stdout.write(chunk)
  return { exitCode: 0 }
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((one) => Buffer.from(one))
const id = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0xffff_ffff }))
const hostile = fc.oneof(
  bytes,
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.array(id, { maxLength: 4 }), bytes)
    .map(([kind, words, block]) => controlFrame(kind, words, block)),
  fc
    .tuple(id, bytes, fc.boolean())
    .map(([stream, payload, fin]) => Buffer.concat([dataHead(stream >>> 1, payload.length, fin), payload])),
)

test('frames by chance, before, between and after good ones', async (t) => {
  t.timeout(300_000)
  const errors: Error[] = []
  await using server = await serveStreaming({ onError: (error) => errors.push(error) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(hostile, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (frames, late) => {
        if (late) {
          const client = await SpdyClient.dial(server.exec(wanted, echo), versions)
          for (const streamtype of ['error', 'stdin', 'stdout']) await client.open({ streamtype })
          await abuse(client.socket, frames)
        } else {
          const { socket } = await upgrade(server.exec(wanted, echo), versions)
          if (socket) await abuse(socket, frames)
        }
      },
    ),
    { numRuns: runs },
  )
  t.deepEqual(errors.filter((error) => !('code' in error)).map(String), [])
  const client = await SpdyClient.dial(server.exec(wanted, echo), versions)
  await client.open({ streamtype: 'error' })
  const [stdin, stdout] = [
    await client.open({ streamtype: 'stdin' }),
    await client.open({ streamtype: 'stdout' }),
  ]
  const answer = gather(stdout)
  stdin.end('alive')
  t.is(await answer, 'alive')
})

async function abuse(socket: SpdyClient['socket'], frames: readonly Buffer[]): Promise<void> {
  socket.on('error', () => undefined)
  const closed = once(socket, 'close').catch(() => undefined)
  for (const frame of frames) if (!socket.destroyed) socket.write(frame)
  await Promise.race([closed, sleep(5)])
  socket.destroy()
}

test('headers that grow beyond all measure end a connection, also one that serves', async (t) => {
  const errors: string[] = []
  await using server = await serveStreaming({ onError: (error) => errors.push(error.message) })
  const client = await SpdyClient.dial(server.exec(wanted, echo), versions)
  await client.open({ streamtype: 'error' })
  client.open({ streamtype: 'stdin', bomb: 'x'.repeat(1 << 20) }).catch(() => undefined)
  await once(client.socket, 'close')
  t.regex(errors[0] ?? '', /header/)
})

test('a stream number that goes back ends the connection, too many streams are refused', async (t) => {
  const errors: string[] = []
  await using server = await serveStreaming({ onError: (error) => errors.push(error.message) })
  const { socket } = await upgrade(server.exec(wanted, echo), versions)
  socket?.write(controlFrame(controlKind.synStream, [4, 0], Buffer.alloc(2)))
  if (socket) await once(socket.resume(), 'close')
  t.regex(errors[0] ?? '', /opened stream 4 after stream 0/)
  const many = await SpdyClient.dial(
    server.portForward([80], async () => Promise.reject(new Error('no'))),
    ['portforward.k8s.io'],
  )
  const opened = Array.from({ length: 2100 }, (_, i) =>
    many.open({ streamtype: 'error', port: '80', requestid: String(i) }).then(
      () => 'accepted',
      () => 'refused',
    ),
  )
  const answers = await Promise.race([Promise.all(opened), sleep(10_000).then(() => [])])
  t.is(answers.filter((one) => one === 'accepted').length, 2000)
  many.socket.destroy()
})
