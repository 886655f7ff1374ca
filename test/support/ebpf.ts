/**
 * An eBPF machine, as far as device programs use it. It refuses what the kernel's verifier refuses there: jumps back,
 * jumps out of the program, code that cannot be reached, a register that is read before it was set.
 */
export interface DeviceAccess {
  type: 'b' | 'c'
  major: number
  minor: number
  /** mknod 1, read 2, write 4. */
  access: number
}

interface Decoded {
  code: number
  to: number
  from: number
  offset: number
  value: number
}

export function runDeviceProgram(program: Uint8Array, { type, major, minor, access }: DeviceAccess): boolean {
  const instructions = decode(program)
  verify(instructions)
  const context = [((access << 16) | (type === 'b' ? 1 : 2)) >>> 0, major, minor]
  const registers: (number | undefined)[] = [undefined, 0]
  const read = (index: number) => {
    const value = registers[index]
    if (value === undefined) throw new Error(`register ${index} is read before it is set`)
    return value
  }
  for (let at = 0; ; at++) {
    const { code, to, from, offset, value } = instructions[at] as Decoded
    if (code === 0x95) return read(0) === 1
    if (code === 0x61) registers[to] = context[(read(from) + offset) / 4] as number
    else if (code === 0xbf) registers[to] = read(from)
    else if (code === 0x57) registers[to] = (read(to) & value) >>> 0
    else if (code === 0x77) registers[to] = read(to) >>> value
    else if (code === 0xb7) registers[to] = value
    else if (code === 0x05) at += offset
    else if (code === 0x56) at += read(to) >>> 0 === value >>> 0 ? 0 : offset
    else if (code === 0x45) at += (read(to) & value) !== 0 ? offset : 0
    else throw new Error(`instruction ${at}: no code 0x${code.toString(16)}`)
  }
}

function verify(instructions: readonly Decoded[]): void {
  const reached = new Set([0])
  instructions.forEach(({ code, offset }, at) => {
    if (!reached.has(at)) throw new Error(`instruction ${at} cannot be reached`)
    const isJump = [0x05, 0x56, 0x45].includes(code)
    if (isJump && (offset < 0 || at + 1 + offset >= instructions.length))
      throw new Error(`instruction ${at} jumps away`)
    if (isJump) reached.add(at + 1 + offset)
    if (code !== 0x05 && code !== 0x95) reached.add(at + 1)
  })
  if (reached.has(instructions.length)) throw new Error('the program runs off its end')
}

function decode(program: Uint8Array): Decoded[] {
  const bytes = Buffer.from(program)
  return Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: bytes.readUInt8(index * 8),
    to: bytes.readUInt8(index * 8 + 1) & 15,
    from: bytes.readUInt8(index * 8 + 1) >> 4,
    offset: bytes.readInt16LE(index * 8 + 2),
    value: bytes.readInt32LE(index * 8 + 4),
  }))
}
