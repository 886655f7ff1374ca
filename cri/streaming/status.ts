import type { ClientStreams, StreamSession } from '../service.ts'

/** How a session ended, as a client reads it from the error channel. */
export type Ending = { exitCode: number } | { failure: unknown }

/** Never rejects: what goes wrong is how it ended. */
export async function runSession(session: StreamSession, streams: ClientStreams): Promise<Ending> {
  try {
    return await session(streams)
  } catch (failure) {
    return { failure }
  }
}

/** metav1.Status as JSON, for sub-protocols from v4 on. */
export function statusJson(ending: Ending): string {
  if ('failure' in ending) {
    const message = messageOf(ending.failure)
    return JSON.stringify({
      metadata: {},
      status: 'Failure',
      reason: 'InternalError',
      message: `Internal error occurred: ${message}`,
      details: { causes: [{ message }] },
      code: 500,
    })
  }
  if (ending.exitCode === 0) return JSON.stringify({ metadata: {}, status: 'Success' })
  return JSON.stringify({
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: exitMessage(ending.exitCode),
    details: { causes: [{ reason: 'ExitCode', message: String(ending.exitCode) }] },
  })
}

/** Older sub-protocols: text, nothing at all when it went well. */
export function statusText(ending: Ending): string {
  if ('failure' in ending) return messageOf(ending.failure)
  return ending.exitCode === 0 ? '' : exitMessage(ending.exitCode)
}

function exitMessage(exitCode: number): string {
  return `command terminated with non-zero exit code: exit status ${exitCode}`
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}
