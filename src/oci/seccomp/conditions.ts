import { and, BPF, type Instruction, load, offsets, onlyIf, ret, skipIf } from './bpf.ts'
import type { Condition } from './profile.ts'

export type Alternative = { conditions: readonly Condition[]; action: number }

/**
 * Alternatives tried in turn: the first whose conditions all hold gives its action, none gives `otherwise`. With
 * `wide` the whole 64-bit argument counts, half by half as BPF has 32 bits; 32-bit architectures (x32 among them)
 * look at the low half alone, as libseccomp does.
 */
export function conditionalBody(
  alternatives: readonly Alternative[],
  otherwise: number,
  wide: boolean,
): Instruction[] {
  const guarded = wide ? guardedWide : guardedNarrow
  return [
    ...alternatives.flatMap(({ conditions, action }) =>
      conditions.reduceRight<Instruction[]>((body, condition) => guarded(condition, body), [ret(action)]),
    ),
    ret(otherwise),
  ]
}

/** Runs `body` (which ends in a return) when the condition holds, else goes on behind it. */
function guardedNarrow(condition: Condition, body: Instruction[]): Instruction[] {
  const low = load(offsets.argumentLow(condition.index))
  const [, value] = halves(condition.value)
  switch (condition.operator) {
    case 'EQ':
      return [low, ...onlyIf(BPF.JMP_JEQ_K, value, body)]
    case 'NE':
      return [low, ...skipIf(BPF.JMP_JEQ_K, value, body)]
    case 'GT':
      return [low, ...onlyIf(BPF.JMP_JGT_K, value, body)]
    case 'GE':
      return [low, ...onlyIf(BPF.JMP_JGE_K, value, body)]
    case 'LT':
      return [low, ...skipIf(BPF.JMP_JGE_K, value, body)]
    case 'LE':
      return [low, ...skipIf(BPF.JMP_JGT_K, value, body)]
    case 'MASKED_EQ':
      return [low, and(value), ...onlyIf(BPF.JMP_JEQ_K, halves(condition.masked)[1] & value, body)]
  }
}

/** The same for 64 bits: the high half decides unless it is equal, then the low half does. */
function guardedWide(condition: Condition, body: Instruction[]): Instruction[] {
  const high = load(offsets.argumentHigh(condition.index))
  const [value] = halves(condition.value)
  const lowHalf = guardedNarrow(condition, body)
  const toBody = (rest: readonly Instruction[]) => rest.length - body.length
  const whenEqual = onlyIf(BPF.JMP_JEQ_K, value, lowHalf)
  switch (condition.operator) {
    case 'EQ':
      return [high, ...whenEqual]
    case 'NE':
      return [high, jump(BPF.JMP_JEQ_K, value, 0, toBody(lowHalf)), ...lowHalf]
    case 'GT':
    case 'GE':
      return [high, jump(BPF.JMP_JGT_K, value, toBody(whenEqual), 0), ...whenEqual]
    case 'LT':
    case 'LE':
      return [high, jump(BPF.JMP_JGE_K, value, 0, toBody(whenEqual)), ...whenEqual]
    case 'MASKED_EQ':
      return [high, and(value), ...onlyIf(BPF.JMP_JEQ_K, halves(condition.masked)[0] & value, lowHalf)]
  }
}

function jump(code: number, k: number, jumpTrue: number, jumpFalse: number): Instruction {
  return { code, jumpTrue, jumpFalse, k: k >>> 0 }
}

function halves(value: bigint): [high: number, low: number] {
  return [Number(value >> 32n), Number(value & 0xffffffffn)]
}
