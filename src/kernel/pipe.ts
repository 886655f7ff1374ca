import { closeSync } from 'node:fs'
import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    makePipe(): [read: number, write: number]
  }
}

export type PipeEnds = [read: number, write: number]

/** pipe(2), that many times or, after a failure, not once: close-on-exec descriptors, the caller's to close. */
export function makePipes<const Count extends 2 | 3>(
  count: Count,
): Count extends 2 ? [PipeEnds, PipeEnds] : [PipeEnds, PipeEnds, PipeEnds]
export function makePipes(count: number): PipeEnds[] {
  const made: PipeEnds[] = []
  try {
    while (made.length < count) made.push(native.makePipe())
    return made
  } catch (error) {
    for (const end of made.flat()) closeSync(end)
    throw error
  }
}
