/** Checkpoint and restore: a container written to files and made from them again, by criu's command line. */
export { checkpointContainer } from './checkpoint.ts'
export { findCriu } from './find-criu.ts'
export * from './options.ts'
export { type RestoreRequest, restoreContainer } from './restore.ts'
