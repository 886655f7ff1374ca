/** The OCI runtime as a typed library. It never learns what a pod is. */
export * from './capabilities.ts'
export * from './cgroup/index.ts'
export * from './mount-options.ts'
export * from './rlimits.ts'
export type * from './runtime.ts'
export * from './seccomp/index.ts'
export * from './signals.ts'
export type * from './spec.ts'
