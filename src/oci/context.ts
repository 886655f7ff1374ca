import type { Clock, Logger } from '../base/index.ts'
import type { CgroupLayout } from './cgroup/index.ts'
import type { KnownFacts } from './exec-facts.ts'
import type { HostFacts } from './host-facts.ts'
import type { Privileges } from './privileges.ts'
import type { StoredFilters } from './seccomp/index.ts'
import type { Zygote } from './zygote.ts'

/** Who makes the cgroups; `disabled`: nobody, containers stay in the caller's. */
export type CgroupManager = 'cgroupfs' | 'systemd' | 'disabled'

/** What every verb of the runtime works with. */
export interface RuntimeContext {
  stateRoot: string
  instance: string
  cgroupManager: CgroupManager
  /** Where message buses are (DBUS_SYSTEM_BUS_ADDRESS, DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR). */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  log: Logger
  layout: CgroupLayout
  host: HostFacts
  privileges: Privileges
  /** Cgroups that may not be written are done without. */
  rootless: boolean
  /** What a limit is whose controller the host lacks: an error, or only a notice. */
  missingControllers: 'refuse' | 'tell'
  /** Starts monitors and execs, in a cgroup of their own. */
  zygote: Zygote
  /** Seccomp filters that other processes have compiled, where they are kept. */
  filters: StoredFilters | undefined
  execFacts: KnownFacts
  fileLimit: { soft: bigint; hard: bigint }
}
