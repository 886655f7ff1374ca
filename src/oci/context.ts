import type { Clock, Logger } from '../base/index.ts'
import type { CgroupLayout, CgroupPlan } from './cgroup/index.ts'

/** Who makes the cgroups; `disabled`: nobody, containers stay in the caller's. */
export type CgroupManager = 'cgroupfs' | 'systemd' | 'disabled'

/** What every verb of the runtime works with. */
export interface RuntimeContext {
  stateRoot: string
  instance: string
  cgroupManager: CgroupManager
  clock: Clock
  log: Logger
  layout: CgroupLayout
  /** Of the monitors; its directories are made once. */
  monitorCgroup(): Promise<CgroupPlan>
  fileLimit: { soft: bigint; hard: bigint }
}
