import type { Capabilities } from './spec.ts'

/** Names by number (linux/capability.h, as of Linux 6.18): the index is the bit. */
export const capabilityNames: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
]

const numbers = new Map(capabilityNames.map((name, number) => [name, number]))

export function capabilityNumber(name: string): number | undefined {
  return numbers.get(name)
}

export interface CapabilityMasks {
  bounding: bigint
  effective: bigint
  inheritable: bigint
  permitted: bigint
  ambient: bigint
  /** Names that this table does not know; the specification asks for a warning, not an error (config.md, process). */
  unknown: string[]
}

const bits = new Map(capabilityNames.map((name, number) => [name, 1n << BigInt(number)]))

const setNames = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const

/** The five sets as bit masks. An absent set is empty: nothing is inherited from the caller. */
export function capabilityMasks(capabilities: Capabilities = {}): CapabilityMasks {
  const masks = { bounding: 0n, effective: 0n, inheritable: 0n, permitted: 0n, ambient: 0n }
  const unknown = new Set<string>()
  for (const set of setNames)
    for (const name of capabilities[set] ?? []) {
      const bit = bits.get(name)
      if (bit === undefined) unknown.add(name)
      else masks[set] |= bit
    }
  return { ...masks, unknown: [...unknown] }
}

/** The names of the bits of a mask, as /proc/PID/status prints it (hexadecimal) or as a number. */
export function capabilitiesOfMask(mask: bigint): string[] {
  return capabilityNames.filter((_, number) => (mask >> BigInt(number)) & 1n)
}
