import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { Duplex, PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import { CriError } from '../../../cri/error.ts'
import type { ClientStreams, StreamSession, WantedStreams } from '../../../cri/service.ts'
import { type ServeStreamingOptions, serveStreaming } from '../../../cri/streaming/index.ts'
import { gather } from '../../support/gather.ts'
import { SpdyClient, upgrade } from '../../support/spdy-client.ts'

const all: WantedStreams = { stdin: true, stdout: true, stderr: true, tty: false }
const spdyVersions = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']

async function start(t: ExecutionContext, options: ServeStreamingOptions = {}) {
  const server = await serveStreaming(options)
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}

/** Sends stdin back in capitals, its length to stderr, and ends with 7. */
const capitals: StreamSession = async ({ stdin, stdout, stderr }) => {
  const input = stdin ? await gather(stdin) : ''
  stdout?.write(input.toUpperCase())
  stderr?.write(String(input.length))
  return { exitCode: 7 }
}

const seven = {
  metadata: {},
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: 'command terminated with non-zero exit code: exit status 7',
  details: { causes: [{ reason: 'ExitCode', message: '7' }] },
}

async function openAll(client: SpdyClient, names: string[]) {
  const streams: Record<string, Awaited<ReturnType<SpdyClient['open']>>> = {}
  for (const streamtype of names) streams[streamtype] = await client.open({ streamtype })
  return (name: string) => {
    const stream = streams[name]
    if (!stream) throw new Error(name)
    return stream
  }
}

test('SPDY v4: stdin to its end, stdout and stderr apart, the exit code as Status', async (t) => {
  const server = await start(t)
  const url = server.exec(all, capitals)
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{8}$/)
  const client = await SpdyClient.dial(url, spdyVersions)
  t.is(client.protocol, 'v4.channel.k8s.io')
  const stream = await openAll(client, ['error', 'stdin', 'stdout', 'stderr'])
  const got = Promise.all([gather(stream('stdout')), gather(stream('stderr')), gather(stream('error'))])
  stream('stdin').write('hello ')
  stream('stdin').end('world')
  const [stdout, stderr, error] = await got
  t.is(stdout, 'HELLO WORLD')
  t.is(stderr, '11')
  t.deepEqual(JSON.parse(error), seven)
})

test('SPDY v1: the status is text, nothing when all went well', async (t) => {
  const server = await start(t)
  for (const [exitCode, expected] of [
    [0, ''],
    [7, seven.message],
  ] as const) {
    const url = server.exec({ ...all, stdin: false, stderr: false }, async () => ({ exitCode }))
    const client = await SpdyClient.dial(url, ['channel.k8s.io'])
    const stream = await openAll(client, ['error', 'stdout'])
    const [error] = await Promise.all([gather(stream('error')), gather(stream('stdout'))])
    t.is(error, expected)
  }
})

test('SPDY: 3 MiB each way while the other direction flows, no flow control asked of the client', async (t) => {
  const server = await start(t)
  const url = server.exec({ ...all, stderr: false }, async ({ stdin, stdout }) => {
    for await (const chunk of stdin ?? []) {
      if (!stdout?.write(chunk)) await once(stdout as NonNullable<typeof stdout>, 'drain')
    }
    return { exitCode: 0 }
  })
  const client = await SpdyClient.dial(url, spdyVersions)
  const stream = await openAll(client, ['error', 'stdin', 'stdout'])
  const bytes = Buffer.alloc(3 << 20, 'keelson ')
  const hash = createHash('sha256')
  stream('stdout').on('data', (chunk) => hash.update(chunk))
  const done = Promise.all([once(stream('stdout'), 'end'), gather(stream('error'))])
  stream('stdin').end(bytes)
  const [, error] = await done
  t.is(JSON.parse(error).status, 'Success')
  t.is(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'))
})

test('SPDY: terminal sizes, the last one before the listener too; no stderr with a terminal', async (t) => {
  const server = await start(t)
  const sizes: string[] = []
  const url = server.exec({ stdin: false, stdout: true, stderr: false, tty: true }, async (streams) => {
    await new Promise<void>((resolve) => {
      streams.onResize(({ columns, rows }) => {
        sizes.push(`${columns}x${rows}`)
        if (sizes.length === 2) resolve()
      })
    })
    return { exitCode: 0 }
  })
  const client = await SpdyClient.dial(url, spdyVersions)
  const stream = await openAll(client, ['error', 'stdout', 'resize'])
  stream('stdout').resume()
  stream('resize').write('{"Width":80,"Height":24}{"Width":0,"Height":0}{"Wid')
  stream('resize').write('th":100,"Height":50}')
  await gather(stream('error'))
  t.deepEqual(sizes, ['80x24', '100x50'])
})

test('upgrades that cannot be granted say why', async (t) => {
  const server = await start(t)
  const status = async (url: string, protocols: string[]) => {
    const { response } = await upgrade(url, protocols)
    return [response.statusCode, await text(response)] as const
  }
  const url = () => server.exec(all, capitals)
  t.is((await status(url(), ['v9.channel.k8s.io']))[0], 403)
  t.is((await status(url(), ['']))[0], 400)
  t.is((await status(`${server.url}/exec/nothere1`, spdyVersions))[0], 404)
  t.is((await status(url().replace('/exec/', '/attach/'), spdyVersions))[0], 404)
  t.is((await fetch(url())).status, 400)
})

test('a URL works once, for a minute, and no more than 1000 wait', async (t) => {
  let nowMs = 0
  const server = await start(t, { nowMs: () => nowMs })
  const once = server.exec({ ...all, stdin: false }, capitals)
  const first = new WebSocket(once, ['v5.channel.k8s.io'])
  await ended(first)
  t.is((await upgrade(once, spdyVersions)).response.statusCode, 404)
  const late = server.exec(all, capitals)
  nowMs = 60_000
  t.is((await upgrade(late, spdyVersions)).response.statusCode, 404)
  for (let i = 0; i < 1000; i++) server.attach(all, capitals)
  const full = t.throws(() => server.exec(all, capitals), { instanceOf: CriError })
  t.is(full.code, 'RESOURCE_EXHAUSTED')
  nowMs = 120_000
  t.notThrows(() => server.exec(all, capitals))
})

test('wishes that cannot be met are refused before there is a URL', async (t) => {
  const server = await start(t)
  const none = { stdin: false, stdout: false, stderr: false, tty: false }
  for (const wanted of [none, { ...all, tty: true }]) {
    const error = t.throws(() => server.exec(wanted, capitals), { instanceOf: CriError })
    t.is(error.code, 'INVALID_ARGUMENT')
  }
})

for (const [protocol, halfClose] of [
  ['v5.channel.k8s.io', Buffer.of(255, 0)],
  ['v4.channel.k8s.io', undefined],
  ['v4.base64.channel.k8s.io', undefined],
] as const)
  test(`WebSocket ${protocol}: channels, ${halfClose ? 'half close' : 'first line'}, Status`, async (t) => {
    const server = await start(t)
    const upToLine: StreamSession = async ({ stdin, stdout, stderr }) => {
      const input = halfClose
        ? await gather(stdin as Readable)
        : String((await once(stdin as Readable, 'data'))[0])
      stdout?.write(input.toUpperCase())
      stderr?.write(String(input.length))
      return { exitCode: 7 }
    }
    const socket = new WebSocket(server.exec(all, upToLine), [protocol])
    const base64 = protocol.includes('base64')
    const heard = ended(socket, base64)
    await once(socket, 'open')
    t.is(socket.protocol, protocol)
    const input = Buffer.from('hello')
    socket.send(base64 ? `0${input.toString('base64')}` : Buffer.concat([Buffer.of(0), input]))
    if (halfClose) socket.send(halfClose)
    const { channels, first } = await heard
    t.is(first, 1)
    t.is(channels.get(1), 'HELLO')
    t.is(channels.get(2), '5')
    t.deepEqual(JSON.parse(channels.get(3) ?? ''), seven)
  })

test('WebSocket: a failed session is an InternalError, a client that goes aborts the session', async (t) => {
  const server = await start(t)
  const failing = new WebSocket(
    server.exec(all, () => Promise.reject(new Error('no such program'))),
    ['v5.channel.k8s.io'],
  )
  const { channels } = await ended(failing)
  t.like(JSON.parse(channels.get(3) ?? ''), { status: 'Failure', reason: 'InternalError', code: 500 })
  t.regex(channels.get(3) ?? '', /no such program/)

  let aborted: Promise<unknown> | undefined
  let running = () => {}
  const started = new Promise<void>((resolve) => {
    running = resolve
  })
  const url = server.attach(all, async ({ signal }: ClientStreams) => {
    aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
    running()
    await aborted
    return { exitCode: 0 }
  })
  const leaving = new WebSocket(url, ['v5.channel.k8s.io'])
  await Promise.all([started, once(leaving, 'open')])
  leaving.terminate()
  await aborted
})

test('WebSocket: an unknown sub-protocol is refused', async (t) => {
  const server = await start(t)
  const socket = new WebSocket(server.exec(all, capitals), ['v9.channel.k8s.io'])
  const [error] = await once(socket, 'error')
  t.regex(String(error), /400/)
})

/** Upper-cases what is sent to any port but 1, which nobody listens on. */
async function dial(port: number) {
  if (port === 1) throw new Error('connection refused')
  const far = new PassThrough()
  return far
}

test('port-forward: pairs of streams, many at once; what fails is told on the error stream', async (t) => {
  const server = await start(t)
  const client = await SpdyClient.dial(server.portForward([80], dial), ['portforward.k8s.io'])
  await echoThrough(t, client)
})

test('port-forward inside a WebSocket', async (t) => {
  const server = await start(t)
  const tunnel = await openTunnel(server.portForward([80], dial), 'SPDY/3.1+portforward.k8s.io')
  await echoThrough(t, SpdyClient.over(tunnel, ''))
  tunnel.destroy()
})

async function echoThrough(t: ExecutionContext, client: SpdyClient): Promise<void> {
  const one = async (requestid: string, port: string) => {
    const error = await client.open({ streamtype: 'error', port, requestid })
    const data = await client.open({ streamtype: 'data', port, requestid })
    const failed = gather(error)
    if (port === '1') return failed
    const echoed = gather(data)
    data.end(`request ${requestid}`)
    return echoed
  }
  const answers = await Promise.all([one('0', '80'), one('1', '8080'), one('2', '1')])
  t.deepEqual(answers.slice(0, 2), ['request 0', 'request 1'])
  t.regex(answers[2] ?? '', /port 1 failed: connection refused/)
}

async function ended(socket: WebSocket, base64 = false) {
  const channels = new Map<number, string>()
  let first: number | undefined
  socket.on('message', (data: Buffer) => {
    const channel = base64 ? Number(data.toString()[0]) : (data[0] ?? -1)
    const payload = base64 ? Buffer.from(data.toString().slice(1), 'base64') : data.subarray(1)
    first ??= channel
    channels.set(channel, (channels.get(channel) ?? '') + payload.toString())
  })
  await once(socket, 'close')
  return { channels, first }
}

/**
 * A WebSocket's binary messages as a byte stream. By hand: the `ws` client refuses the sub-protocol's name, which
 * client-go sends all the same.
 */
async function openTunnel(url: string, protocol: string): Promise<Duplex> {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': protocol,
  }
  const outgoing = request(url, { headers }).end()
  const [response, socket] = (await once(outgoing, 'upgrade')) as [IncomingMessage, Duplex]
  if (response.headers['sec-websocket-protocol'] !== protocol) throw new Error('another protocol was chosen')
  const tunnel = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      // RFC 6455, 5.2: one final binary frame, masked with zeros, which changes nothing.
      const length = Buffer.alloc(8)
      length.writeUInt32BE(chunk.length, 4)
      socket.write(Buffer.concat([Buffer.of(0x82, 0x80 | 127), length, Buffer.alloc(4), chunk]), () => done())
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  let pending = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      const short = (pending[1] ?? 0) & 0x7f
      const head = short === 127 ? 10 : short === 126 ? 4 : 2
      if (pending.length < head) return
      const length = short === 127 ? pending.readUInt32BE(6) : short === 126 ? pending.readUInt16BE(2) : short
      if (pending.length < head + length) return
      tunnel.push(pending.subarray(head, head + length))
      pending = pending.subarray(head + length)
    }
  })
  return tunnel
}
