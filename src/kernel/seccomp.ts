import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    seccompFlags(): number
  }
}

let known: number | undefined

/** The SECCOMP_FILTER_FLAG_* bits that this kernel knows. */
export function seccompFlags(): number {
  known ??= native.seccompFlags()
  return known
}
