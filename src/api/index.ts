/** The Kubernetes API as a contract: types, the resource table, schemas, client, informers, selectors, patches. */

export type { WatchEvent } from './client.ts' // not the untyped one of meta/v1
export * from './client.ts'
export * from './http-transport.ts'
export type { Indexes } from './indexed-objects.ts'
export * from './informer.ts'
export * from './meta.ts'
export * from './patch/merge-patch.ts'
export * from './resource-type.ts'
export * from './resources.ts'
export * from './schema/definitions.ts'
export * from './selectors.ts'
export * from './status-error.ts'
export * from './transport.ts'
export type * from './types/index.ts'
