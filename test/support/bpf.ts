/**
 * A classic BPF machine, as far as seccomp filters use it: runs a program over one struct seccomp_data and gives
 * the filter's verdict. It refuses what the kernel would refuse (seccomp_check_filter, bpf_check_classic), so a
 * malformed program fails the test even where it is never reached.
 */
export interface SeccompData {
  nr: number
  arch: number
  args: readonly bigint[]
}

/** struct seccomp_data as 32-bit words: number, architecture, instruction pointer, six arguments, low half first. */
export type DataWords = Uint32Array

export interface FilterMachine {
  run(data: DataWords): number
}

const LD_W_ABS = 0x20
const ALU_AND_K = 0x54
const JMP_JA = 0x05
const JMP_JEQ_K = 0x15
const JMP_JGT_K = 0x25
const JMP_JGE_K = 0x35
const RET_K = 0x06

export function filterMachine(program: Uint8Array): FilterMachine {
  const count = program.byteLength / 8
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const code = new Uint16Array(count)
  const taken = new Uint8Array(count)
  const missed = new Uint8Array(count)
  const k = new Uint32Array(count)
  for (let pc = 0; pc < count; pc++) {
    code[pc] = view.getUint16(pc * 8, true)
    taken[pc] = view.getUint8(pc * 8 + 2)
    missed[pc] = view.getUint8(pc * 8 + 3)
    k[pc] = view.getUint32(pc * 8 + 4, true)
    check(pc, count, code[pc] ?? 0, taken[pc] ?? 0, missed[pc] ?? 0, k[pc] ?? 0)
  }
  if (count === 0 || count > 4096 || code[count - 1] !== RET_K)
    throw new Error(`a program of ${count} instructions`)
  return { run: (data) => run({ code, taken, missed, k }, data) }
}

function check(pc: number, count: number, code: number, taken: number, missed: number, k: number): void {
  const refuse = (why: string) => {
    throw new Error(`instruction ${pc} (code 0x${code.toString(16)}, k ${k}): ${why}`)
  }
  const isBranch = code === JMP_JEQ_K || code === JMP_JGT_K || code === JMP_JGE_K
  if (isBranch && pc + 1 + Math.max(taken, missed) >= count) refuse('jumps out of the program')
  else if (code === JMP_JA && pc + 1 + k >= count) refuse('jumps out of the program')
  else if (code === LD_W_ABS && (k % 4 !== 0 || k >= 64)) refuse('loads from outside of struct seccomp_data')
  else if (!isBranch && code !== JMP_JA && code !== LD_W_ABS && code !== ALU_AND_K && code !== RET_K)
    refuse('unknown')
}

interface Decoded {
  code: Uint16Array
  taken: Uint8Array
  missed: Uint8Array
  k: Uint32Array
}

function run({ code, taken, missed, k }: Decoded, data: DataWords): number {
  let accumulator = 0
  for (let pc = 0; ; pc++) {
    const operand = k[pc] ?? 0
    switch (code[pc]) {
      case LD_W_ABS:
        accumulator = data[operand >> 2] ?? 0
        break
      case ALU_AND_K:
        accumulator = (accumulator & operand) >>> 0
        break
      case JMP_JA:
        pc += operand
        break
      case JMP_JEQ_K:
        pc += (accumulator === operand ? taken[pc] : missed[pc]) ?? 0
        break
      case JMP_JGT_K:
        pc += (accumulator > operand ? taken[pc] : missed[pc]) ?? 0
        break
      case JMP_JGE_K:
        pc += (accumulator >= operand ? taken[pc] : missed[pc]) ?? 0
        break
      default:
        return operand
    }
  }
}

export function dataWords({ nr, arch, args }: SeccompData): DataWords {
  const words = new Uint32Array(16)
  words[0] = nr >>> 0
  words[1] = arch
  args.forEach((value, index) => {
    words[4 + 2 * index] = Number(value & 0xffffffffn)
    words[5 + 2 * index] = Number(value >> 32n)
  })
  return words
}

export function runFilter(program: Uint8Array, data: SeccompData): number {
  return filterMachine(program).run(dataWords(data))
}
