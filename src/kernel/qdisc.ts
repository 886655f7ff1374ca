import type { NetlinkRequest } from './netlink.ts'
import { encodeMessage, text, u32 } from './netlink-message.ts'

/** Queueing disciplines: linux/pkt_sched.h. */
export interface RateLimit {
  linkIndex: number
  bytesPerSecond: number
  /** What may leave at once after a pause; at least one packet of the link. */
  burstBytes: number
  /** What may wait; more is dropped. */
  queueBytes: number
}

const newQdisc = 36
const flag = { request: 0x1, ack: 0x4, replace: 0x100, create: 0x400 }
const attribute = { kind: 1, options: 2 }
const tbf = { parameters: 1, rate64: 4, burst: 6 }
const root = 0xffff_ffff
const handle = 0x0001_0000
const ethernet = 1
const rateMax = 0xffff_ffff

/** Limits what leaves by a link to a rate: a token bucket (tc-tbf(8)) in the place of whatever queue it has. */
export function limitRate({ linkIndex, bytesPerSecond, burstBytes, queueBytes }: RateLimit): NetlinkRequest {
  const header = Buffer.alloc(20) // struct tcmsg
  header.writeInt32LE(linkIndex, 4)
  header.writeUInt32LE(handle, 8)
  header.writeUInt32LE(root, 12)
  const rate64 = Buffer.alloc(8)
  rate64.writeBigUInt64LE(BigInt(bytesPerSecond))
  return {
    label: `rate limit of link ${linkIndex}`,
    message: encodeMessage(newQdisc, flag.request | flag.ack | flag.create | flag.replace, header, [
      { type: attribute.kind, value: text('tbf') },
      {
        type: attribute.options,
        value: [
          { type: tbf.parameters, value: parameters(Math.min(bytesPerSecond, rateMax), queueBytes) },
          // The 32 bits of the parameters end at 34 Gbit/s.
          { type: tbf.rate64, value: rate64 },
          { type: tbf.burst, value: u32(burstBytes) },
        ],
      },
    ]),
  }
}

/** struct tc_tbf_qopt: rate, peak rate (none), limit, buffer and mtu (told by `burst`). */
function parameters(bytesPerSecond: number, queueBytes: number): Buffer {
  const bytes = Buffer.alloc(36)
  bytes.writeUInt8(ethernet, 1)
  bytes.writeUInt32LE(bytesPerSecond, 8)
  bytes.writeUInt32LE(queueBytes, 24)
  return bytes
}
