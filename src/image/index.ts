/** Images: reference, registry client, content store, layer unpack, snapshots. Starts no daemon and mounts nothing. */

export { reachImageStore } from './door/reach.ts'
export type { ImageDoor, Progress } from './door/requests.ts'
export { serveDoor } from './door/serve.ts'
export { openImageLedger } from './image-ledger.ts'
export type * from './image-store.ts'
export { type ImageStoreOptions, openImageStore } from './open-store.ts'
export { formatPlatform, type Platform, parsePlatform } from './platform.ts'
export { formatReference, parseReference, type Reference, repositoryName } from './reference.ts'
export { credentialFiles, decodeBasic, dockerCredentials } from './registry/docker-config.ts'
export { endpointsOf, type Mirror, type MirrorEndpoint, type Mirrors } from './registry/mirrors.ts'
export type { ArchiveFile } from './save/files.ts'
export { writeArchive } from './save/tar.ts'
