import { KeelsonError } from '../../base/index.ts'

/** INVALID_ARGUMENT at a JSON path, with a sentence that says what to write instead. */
export function fail(path: string, message: string, hint: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}

const longestShown = 80

/** A value as it stands in the file, short enough for one line whatever somebody put there. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'null' : 'an object'
  if (typeof value !== 'string') return String(value)
  return value.length <= longestShown
    ? JSON.stringify(value)
    : `${JSON.stringify(value.slice(0, longestShown))}… (${value.length} characters)`
}
