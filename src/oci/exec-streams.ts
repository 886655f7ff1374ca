import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { makePipes } from '../kernel/index.ts'
import type { ExecRequest } from './runtime.ts'

/** Our ends of an exec's pipes. */
export interface ExecStreams {
  stdin?: Writable
  stdout?: Readable
  stderr?: Readable
  destroy(): void
}

/** An exec's pipes: their ends are for its process, which has them when this is disposed; ours become streams. */
export interface ExecPipes extends AsyncDisposable {
  theirs: readonly [number | undefined, number | undefined, number | undefined]
  /** Once: our ends are the streams' from then on. */
  streams(): ExecStreams
}

export function openPipes({ stdio, stdin, process }: ExecRequest): ExecPipes {
  const nothing = { streams: () => ({ destroy() {} }), [Symbol.asyncDispose]: async () => {} }
  if (stdio !== 'pipe') return { theirs: stdio, ...nothing }
  if (process.terminal) return { theirs: [undefined, undefined, undefined], ...nothing }
  const [[output, theirOutput], [errors, theirErrors], [theirInput, input] = []] = stdin
    ? makePipes(3)
    : makePipes(2)
  const theirs = [theirInput, theirOutput, theirErrors] as const
  const ours = [input, output, errors] as const
  let isTaken = false
  return {
    theirs,
    streams() {
      isTaken = true
      return openStreams(input, output, errors)
    },
    async [Symbol.asyncDispose]() {
      for (const fd of isTaken ? theirs : [...theirs, ...ours]) if (fd !== undefined) closeSync(fd)
    },
  }
}

function openStreams(input: number | undefined, output: number, errors: number): ExecStreams {
  const open = (fd: number, writes: boolean) => new Socket({ fd, readable: !writes, writable: writes })
  const stdin = input === undefined ? undefined : open(input, true)
  const [stdout, stderr] = [open(output, false), open(errors, false)]
  const all = [...(stdin ? [stdin] : []), stdout, stderr]
  for (const one of all) one.on('error', () => one.destroy())
  return {
    ...(stdin ? { stdin } : {}),
    stdout,
    stderr,
    destroy() {
      for (const one of all) one.destroy()
    },
  }
}
