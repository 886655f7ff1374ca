import { BPF, farthest, type Instruction, isConditional } from './bpf.ts'

/**
 * The same program with few returns: branches that end with the same verdict share one as long as it is near enough.
 * A search tree has a return per leaf, and the kernel translates every instruction twice when a filter is loaded, which
 * is most of what loading costs; by sharing it becomes half as long. Every instruction must be reachable.
 */
export function shareReturns(instructions: readonly Instruction[]): Instruction[] {
  const program = new Backwards()
  for (let at = instructions.length - 1; at >= 0; at--) {
    const instruction = instructions[at]
    if (!instruction || isOnDemand(instruction)) continue
    const goal = (distance: number) => goalOf(instructions, at + 1 + distance)
    if (isConditional(instruction)) program.branch(at, instruction, goal)
    else program.step(at, instruction, goal(0))
  }
  return program.forwards()
}

/** A return, or where another instruction is. */
type Goal = { ret: Instruction } | { index: number }

/** Returns and plain jumps are put where they are needed, not where they were. */
function isOnDemand({ code }: Instruction): boolean {
  return code === BPF.RET_K || code === BPF.JMP_JA
}

function goalOf(instructions: readonly Instruction[], from: number): Goal {
  for (let index = from; ; ) {
    const instruction = instructions[index]
    if (!instruction) throw new RangeError('a filter that does not end in a return')
    if (instruction.code === BPF.RET_K) return { ret: instruction }
    if (instruction.code !== BPF.JMP_JA) return { index }
    index += 1 + instruction.k
  }
}

/** Both distances of a branch are known only when each has its goal, and getting one moves the other by one. */
const near = farthest - 2

/** The program from its end on: what an instruction leads to is there before it. */
class Backwards {
  readonly #reversed: Instruction[] = []
  readonly #places = new Map<number, number>()
  readonly #returns = new Map<number, number>()

  branch(
    index: number,
    { code, jumpTrue, jumpFalse, k }: Instruction,
    goal: (distance: number) => Goal,
  ): void {
    const otherwise = this.#reach(goal(jumpFalse))
    const then = this.#reach(goal(jumpTrue))
    const here = this.#reversed.length - 1
    this.#add(index, { code, jumpTrue: here - then, jumpFalse: here - otherwise, k })
  }

  step(index: number, instruction: Instruction, next: Goal): void {
    if (this.#placeOf(next) !== this.#reversed.length - 1) this.#lead(next)
    this.#add(index, instruction)
  }

  forwards(): Instruction[] {
    return [...this.#reversed].reverse()
  }

  #add(index: number, instruction: Instruction): void {
    this.#places.set(index, this.#reversed.push(instruction) - 1)
  }

  #placeOf(goal: Goal): number | undefined {
    return 'ret' in goal ? this.#returns.get(goal.ret.k) : this.#places.get(goal.index)
  }

  /** The place that a branch made next can jump to. */
  #reach(goal: Goal): number {
    const place = this.#placeOf(goal)
    return place !== undefined && this.#reversed.length - 1 - place <= near ? place : this.#lead(goal)
  }

  /** A return, or a jump that reaches any distance, put right here. */
  #lead(goal: Goal): number {
    if ('ret' in goal) {
      const place = this.#reversed.push(goal.ret) - 1
      this.#returns.set(goal.ret.k, place)
      return place
    }
    const distance = this.#reversed.length - 1 - (this.#places.get(goal.index) ?? 0)
    return this.#reversed.push({ code: BPF.JMP_JA, jumpTrue: 0, jumpFalse: 0, k: distance }) - 1
  }
}
