/**
 * Classic BPF as seccomp(2) takes it: eight bytes an instruction, jumps forward only, and at most 255 instructions
 * away where they depend on a condition. The data are struct seccomp_data: nr at 0, arch at 4, six 64-bit
 * arguments from 16, least significant half first on the machines we run on.
 */
export interface Instruction {
  code: number
  jumpTrue: number
  jumpFalse: number
  k: number
}

export const BPF = {
  LD_W_ABS: 0x20,
  ALU_AND_K: 0x54,
  JMP_JA: 0x05,
  JMP_JEQ_K: 0x15,
  JMP_JGT_K: 0x25,
  JMP_JGE_K: 0x35,
  RET_K: 0x06,
} as const

export const offsets = {
  number: 0,
  architecture: 4,
  argumentLow: (index: number) => 16 + 8 * index,
  argumentHigh: (index: number) => 20 + 8 * index,
} as const

/** BPF_MAXINSNS: the kernel takes no longer program. */
export const maxInstructions = 4096

export const farthest = 255

export function load(offset: number): Instruction {
  return { code: BPF.LD_W_ABS, jumpTrue: 0, jumpFalse: 0, k: offset }
}

export function and(mask: number): Instruction {
  return { code: BPF.ALU_AND_K, jumpTrue: 0, jumpFalse: 0, k: mask >>> 0 }
}

export function ret(value: number): Instruction {
  return { code: BPF.RET_K, jumpTrue: 0, jumpFalse: 0, k: value >>> 0 }
}

type Comparison = typeof BPF.JMP_JEQ_K | typeof BPF.JMP_JGT_K | typeof BPF.JMP_JGE_K

export function isConditional({ code }: Instruction): boolean {
  return code === BPF.JMP_JEQ_K || code === BPF.JMP_JGT_K || code === BPF.JMP_JGE_K
}

/**
 * Runs `otherwise` when the comparison fails, else skips it and goes on with what follows. A distance that does not
 * fit in eight bits goes through an unconditional jump, which has thirty-two.
 */
export function skipIf(code: Comparison, k: number, otherwise: readonly Instruction[]): Instruction[] {
  const distance = otherwise.length
  if (distance <= farthest) return [{ code, jumpTrue: distance, jumpFalse: 0, k: k >>> 0 }, ...otherwise]
  return [
    { code, jumpTrue: 0, jumpFalse: 1, k: k >>> 0 },
    { code: BPF.JMP_JA, jumpTrue: 0, jumpFalse: 0, k: distance },
    ...otherwise,
  ]
}

/** Runs `body` only when the comparison holds. */
export function onlyIf(code: Comparison, k: number, body: readonly Instruction[]): Instruction[] {
  const distance = body.length
  if (distance <= farthest) return [{ code, jumpTrue: 0, jumpFalse: distance, k: k >>> 0 }, ...body]
  return [
    { code, jumpTrue: 1, jumpFalse: 0, k: k >>> 0 },
    { code: BPF.JMP_JA, jumpTrue: 0, jumpFalse: 0, k: distance },
    ...body,
  ]
}

/** struct sock_filter[]: u16 code, u8 jt, u8 jf, u32 k, little endian. */
export function encodeProgram(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8)
  const view = new DataView(bytes.buffer)
  instructions.forEach(({ code, jumpTrue, jumpFalse, k }, index) => {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, jumpTrue)
    view.setUint8(index * 8 + 3, jumpFalse)
    view.setUint32(index * 8 + 4, k, true)
  })
  return bytes
}
