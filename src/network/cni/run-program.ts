import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Clock } from '../../base/index.ts'
import { makePipes } from '../../kernel/index.ts'

/**
 * Runs one program to its end within bounds, whatever it does.
 *
 * - Standard input and both outputs are pipes and nothing else: Node's own are sockets, and a shell script that reads
 *   /dev/stdin or writes /dev/stdout cannot open those.
 * - The program leads a process group of its own. Past the time limit, the output bound or an abort the group is killed.
 * - What ends is the program: a child of it that keeps an output open delays the answer by `drainMs` at most.
 */
export interface ProgramRequest {
  path: string
  input: string
  env: Readonly<Record<string, string>>
  timeoutMs: number
  /** Of each output. */
  outputBytesMax: number
  clock: Clock
  signal?: AbortSignal | undefined
}

export interface ProgramEnd {
  stdout: string
  stderr: string
  /** Null after a signal. */
  exitCode: number | null
  signalName: string | null
  /** Why it was killed by us. */
  stopped?: 'time' | 'output' | 'aborted'
}

const drainMs = 500

/** Rejects only when the program cannot be started: a Node error with `code` and `syscall`. */
export async function runProgram(request: ProgramRequest): Promise<ProgramEnd> {
  const { path, input, env, timeoutMs, outputBytesMax, clock, signal } = request
  const pipes = makePipes(3)
  const [[stdinRead, stdinWrite], [stdoutRead, stdoutWrite], [stderrRead, stderrWrite]] = pipes
  // Standard streams 0, 1 and 2 are the child's ends, which spawn copies.
  const stdio = [stdinRead, stdoutWrite, stderrWrite]
  let child: ChildProcess
  try {
    child = spawn(path, [], { env, cwd: '/', detached: true, stdio })
  } catch (error) {
    for (const end of [stdinWrite, stdoutRead, stderrRead]) closeSync(end)
    throw error
  } finally {
    for (const end of stdio) closeSync(end)
  }
  let stopped: ProgramEnd['stopped']
  const stop = (why: ProgramEnd['stopped']) => {
    stopped ??= why
    killGroup(child.pid)
  }
  const outputs = [stdoutRead, stderrRead].map((fd) => new Output(fd, outputBytesMax, () => stop('output')))
  const ended = once(child, 'exit')
  feed(stdinWrite, input)
  const cancelTimer = clock.after(timeoutMs, () => stop('time'))
  const aborted = () => stop('aborted')
  if (signal?.aborted) aborted()
  signal?.addEventListener('abort', aborted, { once: true })
  try {
    const [exitCode, signalName] = (await ended) as [number | null, string | null]
    const [stdout = '', stderr = ''] = await Promise.all(outputs.map((output) => output.end(clock)))
    return { stdout, stderr, exitCode, signalName, ...(stopped ? { stopped } : {}) }
  } finally {
    cancelTimer()
    signal?.removeEventListener('abort', aborted)
    for (const output of outputs) output.close()
  }
}

/** A program may end without having read its input. */
function feed(fd: number, input: string): void {
  const socket = new Socket({ fd, readable: false, writable: true })
  socket.on('error', () => undefined)
  socket.end(input)
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended, and what it may have started with it.
  }
}

class Output {
  readonly #socket: Socket
  readonly #chunks: Buffer[] = []
  readonly #ended: Promise<unknown>

  constructor(fd: number, bytesMax: number, onTooMuch: () => void) {
    this.#socket = new Socket({ fd, readable: true, writable: false })
    let bytes = 0
    this.#socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) this.#chunks.push(chunk)
      else onTooMuch()
    })
    this.#socket.on('error', () => undefined)
    this.#ended = new Promise((resolve) => this.#socket.once('close', resolve))
  }

  async end(clock: Clock): Promise<string> {
    const cancel = clock.after(drainMs, () => this.close())
    await this.#ended
    cancel()
    return Buffer.concat(this.#chunks).toString()
  }

  close(): void {
    this.#socket.destroy()
  }
}
