/** Frames of keelson-init's sockets; native/init/message.h is the other end. Host byte order: little endian. */
export const frameType = {
  created: 1,
  failure: 2,
  commit: 3,
  exited: 4,
  started: 5,
  start: 8,
  hello: 16,
  attach: 17,
  stdin: 18,
  stdinEnd: 19,
  stdout: 20,
  stderr: 21,
  resize: 22,
  reopen: 23,
  ping: 24,
  done: 25,
  hookWarning: 36,
  ask: 44,
  answer: 45,
} as const

const version = 1
const headerBytes = 8
/** Longest payload of a frame to keelson-init. */
export const framePayloadMax = 4096

export interface Frame {
  type: number
  payload: Buffer
}

export function encodeFrame(type: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(headerBytes + payload.length)
  frame.writeUInt8(version, 0)
  frame.writeUInt8(type, 1)
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, headerBytes)
  return frame
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    while (this.#rest.length >= headerBytes) {
      const end = headerBytes + this.#rest.readUInt32LE(4)
      if (this.#rest.length < end) break
      frames.push({ type: this.#rest.readUInt8(1), payload: this.#rest.subarray(headerBytes, end) })
      this.#rest = this.#rest.subarray(end)
    }
    return frames
  }
}

/** Payload of `exited`. */
export function decodeExit(payload: Buffer): {
  exitCode: number
  signal: number
  oomKills: number
  finishedAtNs: bigint
} {
  return {
    exitCode: payload.readUInt32LE(0),
    signal: payload.readUInt32LE(4),
    oomKills: payload.readUInt32LE(8),
    finishedAtNs: payload.readBigUInt64LE(16),
  }
}

/** Payload of `created`. */
export function decodeCreated(payload: Buffer): { pid: number; startTicks: bigint } {
  return { pid: payload.readUInt32LE(0), startTicks: payload.readBigUInt64LE(8) }
}
