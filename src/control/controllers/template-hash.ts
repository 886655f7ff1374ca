import { createHash } from 'node:crypto'

/** Letters and digits that make no words and no confusion: names of pods are read by people. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * The value of the label `pod-template-hash`: ten characters that are the same for equal templates, whatever the
 * order of their keys. `collisionCount` makes another one when two templates met in one hash.
 */
export function templateHash(template: unknown, collisionCount = 0): string {
  const digest = createHash('sha256').update(canonical(template)).update(String(collisionCount)).digest()
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** JSON with sorted keys and without absent fields, so that equal values give equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  const sorted = fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
}
