import type { Readable } from 'node:stream'
import type { Call } from '../../cri/service.ts'
import { type ExecSyncRequest, ExecSyncResponse } from '../../cri/types.ts'
import { type Clock, KeelsonError } from '../base/index.ts'
import type { Execution } from '../oci/index.ts'
import type { PodContext } from './context.ts'
import { execProcess, runningContainer } from './running.ts'

/**
 * Runs a command to its end. A timeout (seconds, 0: none) or a caller that gives up kills it: DEADLINE_EXCEEDED. What it
 * left behind may hold its pipes for ever, so they are closed at our end however it went.
 */
export async function execSync(
  context: PodContext,
  { containerId, cmd, timeout }: ExecSyncRequest,
  { signal }: Call,
): Promise<ExecSyncResponse> {
  const running = await runningContainer(context, containerId)
  const process = await execProcess(context, running, cmd, false)
  const execution = await running.container.exec({ process, stdio: 'pipe', stdin: false })
  const { execSyncBytesMax, execDrainMs } = context.containers
  const stdout = new Capture(execution.stdout, execSyncBytesMax)
  const stderr = new Capture(execution.stderr, execSyncBytesMax)
  try {
    const { exitCode } = await untilEnd(execution, context.clock, Number(timeout) * 1000, signal)
    await Promise.race([Promise.all([stdout.ended, stderr.ended]), context.clock.sleep(execDrainMs)])
    return ExecSyncResponse.fromPartial({ stdout: stdout.taken(), stderr: stderr.taken(), exitCode })
  } finally {
    execution.stdout?.destroy()
    execution.stderr?.destroy()
  }
}

async function untilEnd(
  execution: Execution,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  let late = false
  const kill = () => {
    late = true
    execution.kill('SIGKILL')
  }
  const cancel = timeoutMs > 0 ? clock.after(timeoutMs, kill) : undefined
  signal.addEventListener('abort', kill, { once: true })
  if (signal.aborted) kill()
  try {
    const ended = await execution.wait()
    if (!late) return ended
    throw new KeelsonError('DEADLINE_EXCEEDED', `the command did not end within ${timeoutMs / 1000} s`)
  } finally {
    cancel?.()
    signal.removeEventListener('abort', kill)
  }
}

class Capture {
  readonly ended: Promise<void>
  readonly #chunks: Buffer[] = []
  readonly #bytesMax: number
  #bytes = 0

  constructor(source: Readable | undefined, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.ended = new Promise((resolve) => {
      if (!source) return resolve()
      source.once('close', () => resolve())
      source.once('end', () => resolve())
    })
    source?.on('error', () => undefined)
    source?.on('data', (chunk: Buffer) => this.#add(chunk))
  }

  #add(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#bytesMax - this.#bytes)
    this.#bytes += kept.length
    if (kept.length > 0) this.#chunks.push(kept)
  }

  taken(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
