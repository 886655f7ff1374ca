import { KeelsonError } from '../../base/index.ts'
import type { Container, Runtime } from '../../oci/index.ts'

/** Option of the commands that take one container, or every one whose id matches. */
export const regexOption = {
  regex: {
    type: 'boolean',
    short: 'r',
    help: 'the argument is a regular expression that ids are searched for',
  },
} as const

/** Whose id the expression finds, in the order of their names: anchors are the caller's to write. */
export async function matching(runtime: Runtime, expression: string): Promise<Container[]> {
  const pattern = compile(expression)
  return (await runtime.list()).filter(({ id }) => pattern.test(id)).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Does it to every one: the first failure is told after the last was tried. */
export async function toEach(
  containers: readonly Container[],
  step: (container: Container) => Promise<void>,
): Promise<void> {
  let failure: { cause: unknown } | undefined
  for (const container of containers)
    try {
      await step(container)
    } catch (cause) {
      failure ??= { cause }
    }
  if (failure) throw failure.cause
}

function compile(expression: string): RegExp {
  try {
    return new RegExp(expression)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new KeelsonError('INVALID_ARGUMENT', why, { hint: 'write an expression as JavaScript reads it' })
  }
}
