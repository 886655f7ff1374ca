import { once } from 'node:events'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { CriError } from './error.ts'
import type { Call, ImageService, RuntimeService } from './service.ts'
import { claimSocket, type SocketAccess } from './socket-file.ts'
import { statusOf } from './status.ts'
import { UnaryCall } from './unary-call.ts'
import { imageRpcs, messageBytesMax, type Rpc, runtimeRpcs } from './wire.ts'

export interface ServeCriOptions extends SocketAccess {
  socketPath: string
  runtime: RuntimeService
  image: ImageService
  /**
   * No unary answer is longer; one that would be is RESOURCE_EXHAUSTED. Default 16 MiB, which is all that clients of
   * Kubernetes take: for longer lists they have the Stream RPCs.
   */
  answerBytesMax?: number
  /** Told of every call that failed, after the caller: for logs. */
  onFailure?: (rpc: string, error: unknown) => void
}

/** Disposing stops taking calls, waits for the unary ones, ends the streams and removes the socket. */
export interface CriServer extends AsyncDisposable {
  readonly socketPath: string
}

/**
 * Serves both services on a unix socket, of mode 0600 unless told otherwise. A socket that nobody answers is replaced; ALREADY_EXISTS when
 * somebody does, or when the path is no socket. A caller that goes away or whose deadline passes aborts the signal
 * its method was given.
 */
export async function serveCri(options: ServeCriOptions): Promise<CriServer> {
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.enable_channelz': 0, // nobody is served those counters, and each call would pay for them
  })
  const streams = new Set<AbortController>()
  register(server, runtimeRpcs, options.runtime, streams, options)
  register(server, imageRpcs, options.image, streams, options)
  const socket = await claimSocket(options.socketPath, (path) => bind(server, path), options)
  return {
    socketPath: options.socketPath,
    async [Symbol.asyncDispose]() {
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
      for (const stream of streams) stream.abort()
      await drained
      await socket[Symbol.asyncDispose]()
    },
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    )
  })
}

type OnFailure = ServeCriOptions['onFailure']

function register(
  server: Server,
  rpcs: readonly Rpc[],
  service: object,
  streams: Set<AbortController>,
  { onFailure, answerBytesMax = messageBytesMax }: Pick<ServeCriOptions, 'onFailure' | 'answerBytesMax'>,
): void {
  const handlers = rpcs.map(({ key, definition }) => [
    key,
    definition.responseStream
      ? streamHandler(methodOf<AsyncIterable<unknown>>(service, key), key, streams, onFailure)
      : unaryHandler(encoded(methodOf(service, key), key, definition, answerBytesMax), key, onFailure),
  ])
  const definitions = rpcs.map(({ key, definition }) => [
    key,
    definition.responseStream ? definition : { ...definition, responseSerialize: (bytes: Buffer) => bytes },
  ])
  server.addService(
    Object.fromEntries(definitions),
    Object.fromEntries(handlers) as UntypedServiceImplementation,
  )
}

type Method<Result> = (request: unknown, call: Call) => Result

function methodOf<Result>(service: object, key: string): Method<Result> {
  return (request, call) => {
    const method: unknown = Reflect.get(service, key)
    if (typeof method !== 'function')
      throw new CriError('UNIMPLEMENTED', `this runtime does not implement ${key}`)
    return Reflect.apply(method, service, [request, call])
  }
}

/** Encoded here and not by gRPC, so that an answer that is too long can still be an error with a code. */
function encoded(
  method: Method<Promise<unknown>>,
  key: string,
  { responseSerialize }: Rpc['definition'],
  bytesMax: number,
): Method<Promise<Buffer>> {
  return async (request, call) => {
    const bytes = responseSerialize(await method(request, call))
    if (bytes.length <= bytesMax) return bytes
    const words = `the answer of ${key} would have ${bytes.length} bytes, more than ${bytesMax}`
    throw new CriError('RESOURCE_EXHAUSTED', `${words}: ask for less, or by the Stream RPC`)
  }
}

function unaryHandler(method: Method<Promise<unknown>>, key: string, onFailure: OnFailure) {
  return async (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => {
    const own = new UnaryCall()
    call.once('cancelled', () => own.cancel())
    try {
      const answer = await method(call.request, own)
      own.answered()
      reply(null, answer)
    } catch (error) {
      own.answered()
      reply(statusOf(error, key))
      onFailure?.(key, error)
    }
  }
}

function streamHandler(
  method: Method<AsyncIterable<unknown>>,
  key: string,
  streams: Set<AbortController>,
  onFailure: OnFailure,
) {
  return async (call: ServerWritableStream<unknown, unknown>) => {
    const abort = new AbortController()
    streams.add(abort)
    call.once('cancelled', () => abort.abort())
    try {
      for await (const message of method(call.request, { signal: abort.signal })) {
        if (abort.signal.aborted) break
        if (!call.write(message)) await once(call, 'drain', { signal: abort.signal })
      }
      call.end()
    } catch (error) {
      if (abort.signal.aborted) call.end()
      else {
        call.emit('error', statusOf(error))
        onFailure?.(key, error)
      }
    } finally {
      streams.delete(abort)
    }
  }
}
