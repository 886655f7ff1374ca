/** The OCI runtime as a typed library. It never learns what a pod is. */
export type * from './runtime.ts'
export type * from './spec.ts'
