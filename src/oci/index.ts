/** The OCI runtime as a typed library. It never learns what a pod is. */
export {
  type Clock,
  KeelsonError,
  type Logger,
  SyscallError,
  silentLogger,
  systemClock,
} from '../base/index.ts'
export * from './capabilities.ts'
export * from './cgroup/index.ts'
export { expandSlice } from './cgroup/systemd/unit.ts'
export { addMounts, removeMounts } from './change-mounts.ts'
export * from './container-id.ts'
export type { CgroupManager } from './context.ts'
export { createRuntime, type RuntimeOptions } from './create-runtime.ts'
export * from './criu/index.ts'
export * from './default-spec.ts'
export { describeCreate, describeExec } from './dry-run.ts'
export * from './features.ts'
export { hookNames } from './hook-names.ts'
export { readAppArmor } from './host-facts.ts'
export * from './mount-options.ts'
export * from './rlimits.ts'
export type * from './runtime.ts'
export * from './seccomp/index.ts'
export * from './signals.ts'
export type * from './spec.ts'
export { openSystemdSlices, type SystemdSlices } from './systemd-slices.ts'
export * from './validate.ts'
