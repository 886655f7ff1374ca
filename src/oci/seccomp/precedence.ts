import type { Alternative } from './conditions.ts'
import type { Condition } from './profile.ts'

/**
 * Which of several rules for one system call is tried first. The specification is silent where two of them hold and
 * their actions differ, so libseccomp's order is the rule, and it is not the order of the profile. It keeps the
 * comparisons as a tree: on each level a higher argument before a lower one; then "equal", "not equal" and masks before
 * "less" before "greater"; then the narrower range (the larger number, for "less" the smaller one) before the wider;
 * then as they came. A rule that ends where another goes on comes first. A 64-bit argument is two levels, its high half
 * first.
 */
export function inOrderOfPrecedence(alternatives: readonly Alternative[], wide: boolean): Alternative[] {
  const root: Level = { ends: [], steps: [] }
  for (const alternative of alternatives) {
    let level = root
    for (const step of stepsOf(alternative.conditions, wide)) level = place(level, step)
    level.ends.push(alternative)
  }
  return flatten(root)
}

interface Level {
  ends: Alternative[]
  steps: { step: Step; next: Level }[]
}

/** One comparison of 32 bits. */
interface Step {
  argument: number
  kind: number
  datum: number
  /** Two steps with the same test are one. */
  test: string
}

function place(level: Level, step: Step): Level {
  let at = 0
  for (; at < level.steps.length; at++) {
    const there = level.steps[at]
    if (!there) break
    if (there.step.test === step.test) return there.next
    if (isBefore(step, there.step)) break
  }
  const next: Level = { ends: [], steps: [] }
  level.steps.splice(at, 0, { step, next })
  return next
}

function isBefore(one: Step, other: Step): boolean {
  if (one.argument !== other.argument) return one.argument > other.argument
  if (one.kind !== other.kind) return one.kind < other.kind
  return one.kind === kinds.LT ? one.datum < other.datum : one.datum > other.datum
}

function flatten({ ends, steps }: Level): Alternative[] {
  return [...ends, ...steps.flatMap(({ next }) => flatten(next))]
}

const kinds = { EQ: 0, NE: 0, MASKED_EQ: 0, LT: 1, LE: 1, GT: 2, GE: 2 } as const
const tests = { EQ: '=', NE: '=', MASKED_EQ: '&', LT: '>=', LE: '>', GT: '>', GE: '>=' } as const

function stepsOf(conditions: readonly Condition[], wide: boolean): Step[] {
  return [...conditions]
    .sort((one, other) => one.index - other.index)
    .flatMap((condition) =>
      wide
        ? [stepOf(condition, true, true), stepOf(condition, false, true)]
        : [stepOf(condition, false, false)],
    )
}

function stepOf({ index, operator, value, masked }: Condition, high: boolean, wide: boolean): Step {
  const half = (word: bigint) => Number(high ? word >> 32n : word & 0xffffffffn)
  const mask = operator === 'MASKED_EQ' ? half(value) : 0xffffffff
  const datum = operator === 'MASKED_EQ' ? half(masked & value) : half(value)
  const argument = 2 * index + (high ? 1 : 0)
  const test = kinds[operator] > 0 && wide && high ? '>' : tests[operator]
  return { argument, kind: kinds[operator], datum, test: `${argument}${test}${datum}&${mask}` }
}
