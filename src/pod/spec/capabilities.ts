import type { LinuxContainerSecurityContext } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import { type Capabilities, capabilityNumber } from '../../oci/index.ts'

/** What a container has unless it asks: the list every CRI runtime gives. */
const defaults = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

/**
 * Drops first, then adds, so that `drop: ALL, add: NET_ADMIN` leaves one. `available` are those the runtime itself
 * may give (its bounding set); ALL means these, and so does privileged. Nothing is inheritable (CVE-2022-24769),
 * except what is asked for as ambient, which the kernel wants inheritable too.
 */
export function containerCapabilities(
  security: LinuxContainerSecurityContext | undefined,
  available: readonly string[],
): Capabilities {
  const ambient = named(security?.capabilities?.addAmbientCapabilities, available)
  const held = security?.privileged
    ? available
    : adjusted(security?.capabilities?.addCapabilities, security?.capabilities?.dropCapabilities, available)
  const all = [...new Set([...held, ...ambient])].filter((name) => available.includes(name))
  const inherited = ambient.filter((name) => available.includes(name))
  return {
    bounding: all,
    effective: all,
    permitted: all,
    ...(inherited.length > 0 ? { inheritable: inherited, ambient: inherited } : {}),
  }
}

function adjusted(
  add: readonly string[] | undefined,
  drop: readonly string[] | undefined,
  available: readonly string[],
): string[] {
  const dropped = new Set(named(drop, [...defaults, ...available]))
  const kept = defaults.filter((name) => !dropped.has(name))
  return [...kept, ...named(add, available)]
}

function named(names: readonly string[] | undefined, all: readonly string[]): string[] {
  return (names ?? []).flatMap((name) => {
    const upper = name.toUpperCase()
    if (upper === 'ALL' || upper === 'CAP_ALL') return all
    const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (capabilityNumber(full) === undefined)
      throw new KeelsonError('INVALID_ARGUMENT', `unknown capability ${name}`)
    return [full]
  })
}
