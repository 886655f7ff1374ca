/**
 * A program that streams, run where the streaming server can be reached; it prints one line of JSON.
 *
 *   drop SOCKET CONTAINER COUNT              attaches COUNT times, resizes, types, and vanishes without a word
 *   slow SOCKET CONTAINER SECONDS TRANSPORT  reads a megabyte a second of an endless exec
 *   read URL TRANSPORT                       reads the output of an exec as fast as it comes
 *   said URL FOLDER                          what an exec says to a client with cert.pem, key.pem and ca.pem of FOLDER
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientOptions, WebSocket } from 'ws'
import { connectCri, type RuntimeService } from '../../cri/index.ts'
import { AttachRequest, ExecRequest } from '../../cri/types.ts'
import { SpdyClient } from './spdy-client.ts'

const call = () => ({ signal: AbortSignal.timeout(60_000) })
const versions = ['v4.channel.k8s.io']
const slowBytesPerSecond = 1_000_000

async function main([verb = '', target = '', ...words]: string[]): Promise<unknown> {
  if (verb === 'read') return read(target, words[0] ?? '')
  if (verb === 'said') return said(target, words[0] ?? '')
  const { runtime, close } = connectCri(target)
  const [containerId = '', amount = '', transport = ''] = words
  try {
    return verb === 'drop'
      ? await drop(runtime, containerId, Number(amount))
      : await slow(await execUrl(runtime, containerId), transport, Number(amount) * 1000)
  } finally {
    close()
  }
}

async function said(url: string, folder: string): Promise<{ said: string }> {
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => readFileSync(join(folder, `${name}.pem`)))
  const socket = new WebSocket(url, ['v5.channel.k8s.io'], { ca, cert, key } as ClientOptions)
  let text = ''
  socket.on('message', (data: Buffer) => {
    if (data[0] === 1) text += data.subarray(1)
  })
  await once(socket, 'close')
  return { said: text }
}

async function drop(
  runtime: RuntimeService,
  containerId: string,
  count: number,
): Promise<{ dropped: number }> {
  let left = count
  const worker = async () => {
    while (left-- > 0) {
      const url = await attachUrl(runtime, containerId)
      await (left % 2 === 0 ? dropSpdy(url) : dropWebSocket(url))
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return { dropped: count }
}

async function attachUrl(runtime: RuntimeService, containerId: string): Promise<string> {
  const request = { containerId, stdin: true, stdout: true, tty: true, stderr: false }
  return (await runtime.attach(AttachRequest.fromPartial(request), call())).url
}

const size = (rows: number) => JSON.stringify({ Width: 80, Height: rows })

async function dropSpdy(url: string): Promise<void> {
  const client = await SpdyClient.dial(url, versions)
  const open = (streamtype: string) => client.open({ streamtype })
  const streams = await Promise.all(['error', 'stdin', 'stdout', 'resize'].map(open))
  streams[3]?.write(size(20 + (Date.now() % 20)))
  streams[1]?.write('typed\n')
  await sleep(1)
  client.socket.destroy()
}

async function dropWebSocket(url: string): Promise<void> {
  const socket = new WebSocket(url, ['v5.channel.k8s.io'])
  await once(socket, 'open')
  socket.send(Buffer.concat([Buffer.of(4), Buffer.from(size(30))]))
  socket.send(Buffer.concat([Buffer.of(0), Buffer.from('typed\n')]))
  await sleep(1)
  socket.terminate()
}

async function execUrl(runtime: RuntimeService, containerId: string): Promise<string> {
  const cmd = ['cat', '/dev/zero']
  return (await runtime.exec(ExecRequest.fromPartial({ containerId, cmd, stdout: true }), call())).url
}

interface Output {
  onData(listener: (bytes: number) => void): void
  pause(): void
  resume(): void
  destroy(): void
  closed: Promise<unknown>
}

const outputOf = (url: string, transport: string) =>
  transport === 'websocket' ? webSocketOutput(url) : spdyOutput(url)

async function spdyOutput(url: string): Promise<Output> {
  const client = await SpdyClient.dial(url, versions)
  const socket: Duplex = client.socket
  await client.open({ streamtype: 'error' })
  await client.open({ streamtype: 'stdout' })
  return {
    onData: (listener) => void socket.on('data', (chunk: Buffer) => listener(chunk.length)),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
    closed: once(socket, 'close'),
  }
}

async function webSocketOutput(url: string): Promise<Output> {
  const socket = new WebSocket(url, ['v5.channel.k8s.io'])
  const closed = once(socket, 'close')
  return {
    onData: (listener) => void socket.on('message', (data: Buffer) => listener(data.length)),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => socket.terminate(),
    closed,
  }
}

async function slow(url: string, transport: string, forMs: number): Promise<{ bytes: number }> {
  const output = await outputOf(url, transport)
  let bytes = 0
  output.onData((more) => {
    bytes += more
    output.pause()
    setTimeout(() => output.resume(), (more / slowBytesPerSecond) * 1000)
  })
  await sleep(forMs)
  output.destroy()
  await output.closed
  return { bytes }
}

async function read(url: string, transport: string): Promise<{ bytes: number; ms: number }> {
  const startMs = performance.now()
  const output = await outputOf(url, transport)
  let bytes = 0
  output.onData((more) => {
    bytes += more
  })
  await output.closed
  return { bytes, ms: performance.now() - startMs }
}

process.stdout.write(`${JSON.stringify(await main(process.argv.slice(2)))}\n`)
