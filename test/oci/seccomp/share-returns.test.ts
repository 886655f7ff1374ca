import test from 'ava'
import { BPF, farthest, type Instruction, load, onlyIf, ret, skipIf } from '../../../src/oci/seccomp/bpf.ts'
import { shareReturns } from '../../../src/oci/seccomp/share-returns.ts'

/** Enough of the machine for programs that load the number and compare it. */
function run(program: readonly Instruction[], number: number): number {
  for (let at = 0; ; at++) {
    const { code, jumpTrue, jumpFalse, k } = program[at] ?? ret(-1)
    if (code === BPF.RET_K) return k
    if (code === BPF.JMP_JA) at += k
    if (code === BPF.JMP_JGE_K) at += number >= k ? jumpTrue : jumpFalse
    if (code === BPF.JMP_JEQ_K) at += number === k ? jumpTrue : jumpFalse
  }
}

/** Numbers from `start` on: each has the verdict `number % verdicts`. */
function tree(start: number, count: number, verdicts: number): Instruction[] {
  if (count === 1) return [ret(start % verdicts)]
  const half = count >> 1
  const right = tree(start + half, count - half, verdicts)
  return [...skipIf(BPF.JMP_JGE_K, start + half, tree(start, half, verdicts)), ...right]
}

for (const verdicts of [2, 3, 7])
  test(`the verdicts stay, and the jumps reach them: ${verdicts} of them`, (t) => {
    const count = 1000
    const program = [load(0), ...onlyIf(BPF.JMP_JGE_K, 0, tree(0, count, verdicts)), ret(99)]
    const shared = shareReturns(program)
    for (let number = 0; number < count; number++) t.is(run(shared, number), number % verdicts)
    t.true(shared.every(({ jumpTrue, jumpFalse }) => Math.max(jumpTrue, jumpFalse) <= farthest))
    t.true(shared.length < program.length * 0.6, `${shared.length} of ${program.length} instructions`)
  })

test('what falls into a return still does', (t) => {
  const program = [load(0), ret(1)]
  t.deepEqual(shareReturns(program), program)
  const twice = [...onlyIf(BPF.JMP_JEQ_K, 4, [load(0), ret(1)]), ret(1)]
  t.is(run(shareReturns(twice), 4), 1)
  t.is(run(shareReturns(twice), 5), 1)
})
