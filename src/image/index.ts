/** Images: reference, registry client, content store, layer unpack, snapshots. Starts no daemon and mounts nothing. */
export type * from './image-store.ts'
