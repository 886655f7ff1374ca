/** Clients that send what they should not, or read when they please. */
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { WebSocket } from 'ws'
import type { StreamSession, WantedStreams } from '../../../cri/service.ts'
import { serveStreaming } from '../../../cri/streaming/index.ts'
import { gather } from '../../support/gather.ts'

const wanted: WantedStreams = { stdin: true, stdout: true, stderr: true, tty: false }
const v5 = ['v5.channel.k8s.io']
const message = (channel: number, payload: string | Buffer) =>
  Buffer.concat([Buffer.of(channel), Buffer.from(payload)])
const closeStdin = Buffer.of(255, 0)

interface Heard {
  bytes: number
  stdout: string
  status: string
}

function hear(socket: WebSocket): Promise<Heard> {
  const heard: Heard = { bytes: 0, stdout: '', status: '' }
  socket.on('message', (data: Buffer) => {
    if (data[0] === 1 || data[0] === 2) heard.bytes += data.length - 1
    if (data[0] === 1 && data.length < 100) heard.stdout += data.subarray(1)
    if (data[0] === 3) heard.status = String(data.subarray(1))
  })
  return once(socket, 'close').then(() => heard)
}

test('what comes after the end of stdin is dropped', async (t) => {
  await using server = await serveStreaming()
  let end = () => {}
  const allSent = new Promise<void>((resolve) => {
    end = resolve
  })
  const count: StreamSession = async ({ stdin, stdout }) => {
    stdout?.write(await gather(stdin as Readable))
    await allSent
    return { exitCode: 0 }
  }
  const socket = new WebSocket(server.exec(wanted, count), v5)
  const heard = hear(socket)
  await once(socket, 'open')
  for (const one of [message(0, 'all'), closeStdin, message(0, 'x'), closeStdin, message(0, 'y')])
    socket.send(one)
  socket.ping()
  await once(socket, 'pong')
  end()
  const { stdout, status } = await heard
  t.is(stdout, 'all')
  t.is(JSON.parse(status).status, 'Success')
})

test('a session that gives stdin up does not stop the client from being heard', async (t) => {
  await using server = await serveStreaming()
  const left: StreamSession = async ({ stdin, signal }) => {
    stdin?.destroy(new Error('broken pipe'))
    await once(signal, 'abort')
    return { exitCode: 0 }
  }
  const socket = new WebSocket(server.exec(wanted, left), v5)
  await once(socket, 'open')
  for (let i = 0; i < 64; i++) socket.send(message(0, Buffer.alloc(32 << 10)))
  socket.ping()
  await once(socket, 'pong')
  socket.close()
  await once(socket, 'close')
  t.pass()
})

test('all output comes before the status, however slowly the client reads', async (t) => {
  await using server = await serveStreaming()
  const piece = Buffer.alloc(256 << 10)
  const pieces = 64
  const flood: StreamSession = async ({ stdout, stderr }) => {
    for (let i = 0; i < pieces; i++) (i % 2 === 0 ? stdout : stderr)?.write(piece)
    return { exitCode: 0 }
  }
  const socket = new WebSocket(server.exec(wanted, flood), v5)
  const heard = hear(socket)
  await once(socket, 'open')
  socket.pause()
  await sleep(300)
  socket.resume()
  const { bytes, status } = await heard
  t.is(bytes, pieces * piece.length)
  t.is(JSON.parse(status).status, 'Success')
})
