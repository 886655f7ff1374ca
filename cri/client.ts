import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js'
import { CriError } from './error.ts'
import type { Call, ImageService, RuntimeService } from './service.ts'
import { errorOf } from './status.ts'
import { imageRpcs, messageBytesMax, type Rpc, runtimeRpcs } from './wire.ts'

export interface CriClient {
  readonly runtime: RuntimeService
  readonly image: ImageService
  close(): void
}

/**
 * A CRI runtime behind a unix socket, as the same interfaces an implementation in this process has. `endpoint` is
 * `unix:///run/…` or a path. Connects with the first call and again whenever the runtime comes back; while it is
 * away calls fail with UNAVAILABLE. Failures are CriErrors.
 */
export function connectCri(endpoint: string): CriClient {
  const client = new Client(addressOf(endpoint), credentials.createInsecure(), {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.enable_channelz': 0, // its counters would cost each call something, and nobody reads them
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 3000,
  })
  return {
    runtime: stub<RuntimeService>(client, runtimeRpcs),
    image: stub<ImageService>(client, imageRpcs),
    close: () => client.close(),
  }
}

function addressOf(endpoint: string): string {
  if (endpoint.startsWith('/')) return `unix:${endpoint}`
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(endpoint)?.[1]
  if (path) return `unix:${path}`
  throw new CriError('INVALID_ARGUMENT', `runtime endpoint ${endpoint} is not a unix socket (unix:///path)`)
}

function stub<Service>(client: Client, rpcs: readonly Rpc[]): Service {
  const methods = rpcs.map(({ key, definition }) => [
    key,
    (request: unknown, call: Call) =>
      definition.responseStream
        ? callStream(client, definition, request, call)
        : callUnary(client, definition, request, call),
  ])
  return Object.fromEntries(methods) as Service
}

function callUnary(
  client: Client,
  method: MethodDefinition<unknown, unknown>,
  request: unknown,
  { signal }: Call,
): Promise<unknown> {
  if (signal.aborted) return Promise.reject(new CriError('CANCELLED', 'cancelled', signal.reason))
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      (failure, response) => {
        signal.removeEventListener('abort', cancel)
        if (failure) reject(errorOf(failure))
        else resolve(response)
      },
    )
    function cancel() {
      call.cancel()
    }
    signal.addEventListener('abort', cancel, { once: true })
  })
}

async function* callStream(
  client: Client,
  method: MethodDefinition<unknown, unknown>,
  request: unknown,
  { signal }: Call,
): AsyncGenerator<unknown> {
  if (signal.aborted) throw new CriError('CANCELLED', 'cancelled', signal.reason)
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
  )
  const cancel = () => call.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for await (const message of call) yield message
  } catch (failure) {
    throw errorOf(failure)
  } finally {
    signal.removeEventListener('abort', cancel)
    // A reader that left early; the stream's own error has nobody to go to any more.
    call.on('error', () => undefined)
    call.cancel()
  }
}
