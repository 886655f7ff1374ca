import type { DeviceRule } from '../spec.ts'
import { accessMask, type DeviceMatch, deviceMatches } from './devices.ts'

/**
 * Device rules as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE: the v2 twin of devices.allow. It is called with
 *
 *     struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }     access_type = access << 16 | type
 *
 * in r1 and answers 1 (allowed) or 0. The rules are tried from the last to the first. r3 holds the kinds of access
 * that no rule has decided yet: an allowing rule takes its own away, and when none is left the answer is yes; a
 * denying rule that meets one of them answers no. So each kind is decided by the last rule that matches.
 *
 * An instruction is { u8 code; u4 dst, src; s16 offset; s32 immediate }, offsets count from the next instruction
 * (Documentation/bpf/standardization/instruction-set.rst). Jumps only go forward, and nothing is unreachable, as the
 * verifier wants it.
 */
const code = {
  loadWord: 0x61,
  copy: 0xbf,
  and: 0x57,
  shiftRight: 0x77,
  set: 0xb7,
  jumpNotEqual: 0x56, // of the low 32 bits: device numbers have no sign
  jumpIfAnyBit: 0x45,
  jump: 0x05,
  exit: 0x95,
} as const

const register = { answer: 0, context: 1, type: 2, undecided: 3, major: 4, minor: 5 } as const
const blockType = 1
const characterType = 2
const everyAccess = 7

interface Instruction {
  code: number
  to: number
  from?: number
  offset?: number
  value?: number
}

/** Undefined where the rules allow everything: there is nothing to enforce then. */
export function compileDeviceProgram(rules: readonly DeviceRule[] = []): Uint8Array | undefined {
  const matches = deviceMatches(rules)
  if (matches.length === 1 && matches[0]?.allow) return undefined
  // The first rule decides whatever is left, so the program ends with its answer.
  return encode([...prologue, ...matches.toReversed().flatMap(ruleBlock)])
}

const prologue: readonly Instruction[] = [
  { code: code.loadWord, to: register.type, from: register.context, offset: 0 },
  { code: code.copy, to: register.undecided, from: register.type },
  { code: code.and, to: register.type, value: 0xffff },
  { code: code.shiftRight, to: register.undecided, value: 16 },
  { code: code.loadWord, to: register.major, from: register.context, offset: 4 },
  { code: code.loadWord, to: register.minor, from: register.context, offset: 8 },
]

/** Conditions that jump over the rest of the block, then what the rule decides. */
function ruleBlock(rule: DeviceMatch): Instruction[] {
  const body = rule.allow ? allow(accessMask(rule.access)) : deny(accessMask(rule.access))
  const conditions: [number, number | undefined][] = [
    [register.type, rule.type && (rule.type === 'b' ? blockType : characterType)],
    [register.major, rule.major],
    [register.minor, rule.minor],
  ]
  const asked = conditions.filter((one): one is [number, number] => one[1] !== undefined)
  return [
    ...asked.map(([to, value], index) => ({
      code: code.jumpNotEqual,
      to,
      value,
      offset: asked.length - index - 1 + body.length,
    })),
    ...body,
  ]
}

function allow(mask: number): Instruction[] {
  if (mask === everyAccess) return answer(1)
  return [
    { code: code.and, to: register.undecided, value: everyAccess & ~mask },
    { code: code.jumpNotEqual, to: register.undecided, value: 0, offset: 2 },
    ...answer(1),
  ]
}

function deny(mask: number): Instruction[] {
  if (mask === everyAccess) return answer(0) // something is undecided still, or the answer would have been given
  return [
    { code: code.jumpIfAnyBit, to: register.undecided, value: mask, offset: 1 },
    { code: code.jump, to: 0, offset: 2 },
    ...answer(0),
  ]
}

function answer(value: 0 | 1): Instruction[] {
  return [
    { code: code.set, to: register.answer, value },
    { code: code.exit, to: 0 },
  ]
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8)
  instructions.forEach(({ code: operation, to, from = 0, offset = 0, value = 0 }, index) => {
    const at = index * 8
    bytes.writeUInt8(operation, at)
    bytes.writeUInt8(to | (from << 4), at + 1)
    bytes.writeInt16LE(offset, at + 2)
    bytes.writeInt32LE(value | 0, at + 4)
  })
  return bytes
}
