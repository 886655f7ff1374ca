import test from 'ava'
import { linkStatistics, linkStatisticsOf } from '../../src/kernel/index.ts'
import { decodeMessages, encodeMessage, text } from '../../src/kernel/netlink-message.ts'

test('numbers by their place in rtnl_link_stats64; a link without any has zeros', (t) => {
  const numbers = Buffer.alloc(24 * 8)
  for (let i = 0; i < 24; i++) numbers.writeBigUInt64LE(BigInt(i + 1), 8 * i)
  const up = Buffer.alloc(16)
  const loopback = Buffer.alloc(16)
  loopback.writeUInt32LE(0x9, 8)
  const messages = Buffer.concat([
    encodeMessage(16, 0, up, [
      { type: 3, value: text('eth0') },
      { type: 23, value: numbers },
    ]),
    encodeMessage(16, 0, loopback, [{ type: 3, value: text('lo') }]),
    encodeMessage(3, 0, Buffer.alloc(4)),
  ])
  const none = { bytes: 0n, packets: 0n, errors: 0n, dropped: 0n }
  t.deepEqual(linkStatisticsOf(decodeMessages(messages)), [
    {
      name: 'eth0',
      isLoopback: false,
      receive: { packets: 1n, bytes: 3n, errors: 5n, dropped: 7n },
      transmit: { packets: 2n, bytes: 4n, errors: 6n, dropped: 8n },
    },
    { name: 'lo', isLoopback: true, receive: none, transmit: none },
  ])
})

test('this host has a loopback', async (t) => {
  t.like(
    (await linkStatistics()).find(({ name }) => name === 'lo'),
    { isLoopback: true },
  )
})
