import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    trimHeap(): void
  }
}

/** malloc_trim(3): freed memory goes back to the kernel. Takes some milliseconds, in which malloc waits. */
export function trimHeap(): void {
  native.trimHeap()
}
