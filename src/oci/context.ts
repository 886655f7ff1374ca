import type { Clock, Logger } from '../base/index.ts'
import type { CgroupLayout, CgroupPlan } from './cgroup/index.ts'

/** What every verb of the runtime works with. */
export interface RuntimeContext {
  stateRoot: string
  instance: string
  clock: Clock
  log: Logger
  layout: CgroupLayout
  /** Of the monitors; its directories are made once. */
  monitorCgroup(): Promise<CgroupPlan>
  fileLimit: { soft: bigint; hard: bigint }
}
