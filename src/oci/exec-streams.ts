import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Cleanup } from '../base/index.ts'
import { makePipe } from '../kernel/index.ts'
import type { ExecRequest } from './runtime.ts'

/** The pipes of an exec: our ends as streams, theirs as descriptors until its process has them. */
export interface ExecStreams {
  theirs: readonly [number | undefined, number | undefined, number | undefined]
  stdin?: Writable
  stdout?: Readable
  stderr?: Readable
  closeTheirs(): Promise<void>
  destroy(): void
}

export function openStreams({ stdio, stdin, process }: ExecRequest): ExecStreams {
  const nothing = { closeTheirs: async () => {}, destroy: () => {} }
  if (stdio !== 'pipe') return { theirs: stdio, ...nothing }
  if (process.terminal) return { theirs: [undefined, undefined, undefined], ...nothing }
  const theirEnds = new Cleanup()
  const open = (writes: boolean) => {
    const [read, write] = makePipe()
    const theirs = writes ? read : write
    theirEnds.defer(() => closeSync(theirs))
    return { theirs, ours: new Socket({ fd: writes ? write : read, readable: !writes, writable: writes }) }
  }
  const input = stdin ? open(true) : undefined
  const output = open(false)
  const errors = open(false)
  for (const one of [input, output, errors]) one?.ours.on('error', () => one.ours.destroy())
  return {
    theirs: [input?.theirs, output.theirs, errors.theirs],
    ...(input ? { stdin: input.ours } : {}),
    stdout: output.ours,
    stderr: errors.ours,
    closeTheirs: () => theirEnds[Symbol.asyncDispose](),
    destroy() {
      for (const one of [input, output, errors]) one?.ours.destroy()
    },
  }
}
