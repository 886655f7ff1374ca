/**
 * A classic BPF machine, as far as seccomp filters use it: runs a program over one struct seccomp_data and gives
 * the filter's verdict. It refuses what the kernel would refuse, so a malformed program fails the test.
 */
export interface SeccompData {
  nr: number
  arch: number
  args: readonly bigint[]
}

export function runFilter(program: Uint8Array, data: SeccompData): number {
  const memory = encodeData(data)
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const count = program.byteLength / 8
  let accumulator = 0
  for (let pc = 0; pc < count; pc++) {
    const code = view.getUint16(pc * 8, true)
    const k = view.getUint32(pc * 8 + 4, true)
    const taken = () => view.getUint8(pc * 8 + 2)
    const missed = () => view.getUint8(pc * 8 + 3)
    if (code === 0x20) accumulator = memory.getUint32(k, true)
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0
    else if (code === 0x05) pc += k
    else if (code === 0x15) pc += accumulator === k ? taken() : missed()
    else if (code === 0x25) pc += accumulator > k ? taken() : missed()
    else if (code === 0x35) pc += accumulator >= k ? taken() : missed()
    else if (code === 0x06) return k
    else throw new Error(`instruction ${pc}: no code 0x${code.toString(16)}`)
  }
  throw new Error('the program ran off its end')
}

function encodeData({ nr, arch, args }: SeccompData): DataView {
  const memory = new DataView(new ArrayBuffer(64))
  memory.setUint32(0, nr >>> 0, true)
  memory.setUint32(4, arch, true)
  args.forEach((value, index) => {
    memory.setBigUint64(16 + 8 * index, value, true)
  })
  return memory
}
