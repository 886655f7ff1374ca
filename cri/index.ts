/**
 * The CRI contract, a leaf: it declares the services, exposes any implementation over gRPC and offers a client of
 * the same type. It imports nothing of ours.
 */
export { type CriClient, connectCri } from './client.ts'
export { CriError } from './error.ts'
export { type CriServer, type ServeCriOptions, serveCri } from './server.ts'
export type { Call, ImageService, RuntimeService } from './service.ts'
export { codeOf } from './status.ts'
export * from './types.ts'
