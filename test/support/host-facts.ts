import type { HostFacts } from '../../src/oci/host-facts.ts'

/** A machine with none of the things that only some have. */
export const plainHost: HostFacts = {
  appArmor: undefined,
  seLinux: false,
  landlockAbi: 0,
  seccompFlags: 0xff,
  resctrl: undefined,
}
