import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    namespaceType(fd: number): number
  }
}

/** The CLONE_NEW… flag of the namespace that an open descriptor is (ioctl_ns(2)), 0 when it is none. */
export function namespaceType(fd: number): number {
  return native.namespaceType(fd)
}
