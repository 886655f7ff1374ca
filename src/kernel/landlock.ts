import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    landlockAbi(): number
  }
}

/** Version of the kernel's Landlock ABI (landlock(7)); 0 where it has none or does not use it. */
export function landlockAbi(): number {
  return native.landlockAbi()
}
