import { KeelsonError } from '../base/index.ts'

/** What may name a directory and a cgroup, as with runc. */
export function isContainerId(name: string): boolean {
  return /^[\w+.-]{1,1024}$/.test(name) && name !== '.' && name !== '..'
}

/** Letters, digits, `_ + - .`; not `.` or `..`; at most 1024 characters. */
export function validateContainerId(id: string): string {
  if (isContainerId(id)) return id
  const shown =
    id.length > 64 ? `${JSON.stringify(id.slice(0, 64))}… (${id.length} characters)` : JSON.stringify(id)
  throw new KeelsonError('INVALID_ARGUMENT', `${shown} is no container id`, {
    hint: 'use at most 1024 letters, digits, and _ + - .',
  })
}
