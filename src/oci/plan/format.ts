import { barriers, noFd, type Operation, operationTable, type Plan } from './operations.ts'

/** A plan as readable lines, for `--dry-run`: `child 12  mountBind source=/a target=/b flags=1`. */
export function formatPlan(plan: Plan): string[] {
  return [
    ...plan.parent.map((operation, index) => `parent ${index}  ${formatOperation(operation)}`),
    ...plan.child.map((operation, index) => `child ${index}  ${formatOperation(operation)}`),
  ]
}

function formatOperation({ op, ...values }: Operation): string {
  const kinds: Record<string, string> = operationTable[op].args
  const words = Object.entries(values).map(([name, value]) => `${name}=${format(kinds[name], name, value)}`)
  return [op, ...words].join(' ')
}

function format(kind: string | undefined, name: string, value: unknown): string {
  if (name === 'barrier') return Object.entries(barriers).find(([, code]) => code === value)?.[0] ?? '?'
  if (kind === 'fd' || kind === 'newFd') return value === noFd ? '-' : `#${value}`
  if (typeof value === 'bigint') return `0x${value.toString(16)}`
  if (value instanceof Uint8Array) return `<${value.length} bytes>`
  return typeof value === 'number' ? String(value) : JSON.stringify(value)
}
