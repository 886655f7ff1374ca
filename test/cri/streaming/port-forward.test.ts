/** Targets that break, and clients that leave, while others go on over the same connection. */
import { once } from 'node:events'
import { Duplex, PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { WebSocket } from 'ws'
import { serveStreaming } from '../../../cri/streaming/index.ts'
import { gather } from '../../support/gather.ts'
import { SpdyClient } from '../../support/spdy-client.ts'

const protocols = ['portforward.k8s.io']

/** Takes one write and never another. */
function stuckTarget(): Duplex {
  return new Duplex({ read: () => undefined, write: () => undefined })
}

async function openPair(client: SpdyClient, requestid: string, port: string) {
  const error = await client.open({ streamtype: 'error', port, requestid })
  return { error, data: await client.open({ streamtype: 'data', port, requestid }) }
}

test('a target that ends and then resets leaves the other connections of the client alive', async (t) => {
  await using server = await serveStreaming()
  const target = stuckTarget()
  const dial = async (port: number) => (port === 1 ? target : new PassThrough())
  const client = await SpdyClient.dial(server.portForward([1, 2], dial), protocols)
  const { data, error } = await openPair(client, '0', '1')
  const ends = Promise.all([gather(data), gather(error)])
  target.push(null)
  await ends
  target.destroy(new Error('ECONNRESET'))
  await new Promise((resolve) => target.once('close', resolve))
  data.write(Buffer.alloc(4 << 20))
  const answer = openPair(client, '1', '2').then((other) => {
    other.data.end('alive')
    return gather(other.data)
  })
  t.is(await Promise.race([answer, sleep(5000).then(() => 'frozen')]), 'alive')
  client.socket.destroy()
})

/** A dial that takes until `reach`. */
function slowDial() {
  const target = new PassThrough()
  let reach = () => {}
  let started = () => {}
  const dialling = new Promise<void>((resolve) => {
    started = resolve
  })
  const reached = new Promise<Duplex>((resolve) => {
    reach = () => resolve(target)
  })
  const dial = () => {
    started()
    return reached
  }
  return { target, dialling, dial, reach }
}

test('a target that is reached after its client has left is left too', async (t) => {
  await using server = await serveStreaming()
  const { target, dialling, dial, reach } = slowDial()
  const client = await SpdyClient.dial(server.portForward([1], dial), protocols)
  await openPair(client, '0', '1')
  await dialling
  client.socket.destroy()
  await sleep(100)
  reach()
  await sleep(10)
  t.true(target.destroyed)
})

test('channels: a target that is reached after its client has left is left too', async (t) => {
  await using server = await serveStreaming()
  const { target, dialling, dial, reach } = slowDial()
  const socket = new WebSocket(server.portForward([1], dial), ['v4.channel.k8s.io'])
  await dialling
  if (socket.readyState !== WebSocket.OPEN) await once(socket, 'open')
  socket.terminate()
  await sleep(100)
  reach()
  await sleep(10)
  t.true(target.destroyed)
})

/** To the first port, until what the kernel takes is full as well. */
async function sendUntilHeldUp(socket: WebSocket): Promise<void> {
  for (let before = -1; socket.bufferedAmount === 0 || socket.bufferedAmount !== before; await sleep(50)) {
    before = socket.bufferedAmount
    if (before === 0) socket.send(Buffer.alloc(1 << 20))
  }
}

for (const [how, end] of [
  ['ends', (target: Duplex) => target.push(null)],
  ['breaks', (target: Duplex) => target.destroy()],
] as const)
  test(`channels: a port that ${how} while it holds the wire up leaves the others alive`, async (t) => {
    await using server = await serveStreaming()
    const target = stuckTarget()
    const dial = async (port: number) => (port === 1 ? target : new PassThrough())
    const socket = new WebSocket(server.portForward([1, 2], dial), ['v4.channel.k8s.io'])
    await once(socket, 'open')
    const answer = new Promise<string>((resolve) => {
      let heard = ''
      socket.on('message', (data: Buffer) => {
        if (data[0] === 2) heard += data.subarray(1)
        if (heard.endsWith('alive')) resolve('alive')
      })
    })
    await sendUntilHeldUp(socket)
    end(target)
    socket.send(Buffer.from('\x02alive'))
    t.is(await Promise.race([answer, sleep(5000).then(() => 'dead')]), 'alive')
    socket.terminate()
  })
