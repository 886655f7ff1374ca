import type { ClientStreams } from '../../cri/service.ts'
import { type ExecRequest, ExecResponse } from '../../cri/types.ts'
import type { Execution, Process } from '../oci/index.ts'
import type { PodContext } from './context.ts'
import { execProcess, runningContainer } from './running.ts'
import { connectStreams, flushedOrQuiet, streamingOf } from './streams.ts'

/** A URL at which one client may run the command with its own stdin, stdout and stderr. */
export async function exec(context: PodContext, request: ExecRequest): Promise<ExecResponse> {
  const { record } = await runningContainer(context, request.containerId)
  const url = streamingOf(context).exec(request, (streams) => run(context, record.id, request, streams))
  return ExecResponse.fromPartial({ url })
}

async function run(
  context: PodContext,
  containerId: string,
  { cmd, tty, stdin }: ExecRequest,
  streams: ClientStreams,
): Promise<{ exitCode: number }> {
  const running = await runningContainer(context, containerId)
  const process = { ...(await execProcess(context, running, cmd, tty)), ...(tty ? sizeSoFar(streams) : {}) }
  const execution = await running.container.exec({ process, stdio: 'pipe', stdin })
  const hangUp = () => execution.kill(tty ? 'SIGHUP' : 'SIGKILL')
  streams.signal.addEventListener('abort', hangUp, { once: true })
  if (streams.signal.aborted) hangUp()
  if (tty) streams.onResize((size) => execution.resize(size))
  const flushed = connectStreams(execution, streams)
  try {
    const { exitCode } = await execution.wait()
    await flushedOrQuiet(flushed, streams, context.clock)
    return { exitCode }
  } finally {
    streams.signal.removeEventListener('abort', hangUp)
    closeStreams(execution)
  }
}

/** What the program left behind may hold the other ends for ever. */
function closeStreams({ stdin, stdout, stderr }: Execution): void {
  for (const one of [stdin, stdout, stderr]) one?.destroy()
}

/** The terminal has its size before the program runs: one that asks at once, asks only once. */
function sizeSoFar(streams: ClientStreams): Pick<Process, 'consoleSize'> {
  let consoleSize: Process['consoleSize']
  streams.onResize(({ columns, rows }) => {
    consoleSize = { width: columns, height: rows }
  })
  return consoleSize ? { consoleSize } : {}
}
