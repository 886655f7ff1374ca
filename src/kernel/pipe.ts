import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    makePipe(): [read: number, write: number]
  }
}

/** pipe(2): two close-on-exec descriptors, the caller's to close. */
export function makePipe(): [read: number, write: number] {
  return native.makePipe()
}
