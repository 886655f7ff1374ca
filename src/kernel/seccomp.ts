import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    seccompFlags(): number
  }
}

/** The SECCOMP_FILTER_FLAG_* bits that this kernel knows. */
export function seccompFlags(): number {
  return native.seccompFlags()
}
