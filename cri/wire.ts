import type { MethodDefinition } from '@grpc/grpc-js'
import { ImageServiceDefinition, RuntimeServiceDefinition } from './generated/runtime/v1/api.ts'

/** One RPC: the key it has in the interface of service.ts, and what gRPC needs to know about it. */
export interface Rpc {
  key: string
  definition: MethodDefinition<unknown, unknown>
}

/** No unary message may be longer than this, as in the Kubernetes client library. */
export const messageBytesMax = 16 * 1024 * 1024

export const runtimeRpcs = rpcsOf(RuntimeServiceDefinition)
export const imageRpcs = rpcsOf(ImageServiceDefinition)

interface Codec {
  encode(message: never): { finish(): Uint8Array }
  decode(bytes: Uint8Array): unknown
}

interface GeneratedService {
  fullName: string
  methods: Record<
    string,
    { name: string; requestType: Codec; responseType: Codec; requestStream: boolean; responseStream: boolean }
  >
}

function rpcsOf(service: GeneratedService): Rpc[] {
  return Object.entries(service.methods).map(([key, method]) => ({
    key,
    definition: {
      path: `/${service.fullName}/${method.name}`,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: encoder(method.requestType),
      requestDeserialize: (bytes) => method.requestType.decode(bytes),
      responseSerialize: encoder(method.responseType),
      responseDeserialize: (bytes) => method.responseType.decode(bytes),
    },
  }))
}

function encoder(codec: Codec): (message: unknown) => Buffer {
  return (message) => {
    const bytes = codec.encode(message as never).finish()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}
