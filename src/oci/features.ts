import { capabilityNames } from './capabilities.ts'
import type { CgroupLayout } from './cgroup/index.ts'
import { ociVersion } from './default-spec.ts'
import { hookNames } from './hook-names.ts'
import { landlockAnnotation } from './landlock.ts'
import { memoryPolicyFlags, memoryPolicyModes } from './memory-policy.ts'
import { knownMountOptions } from './mount-options.ts'
import { knownArchitectures } from './seccomp/architectures.ts'
import { unsafeSeccompAnnotations } from './seccomp/filter.ts'
import { flagNames, knownFlags } from './seccomp/flags.ts'
import { knownActions, operators } from './seccomp/profile.ts'

export interface FeaturesInput {
  version: string
  commit: string
  /** Undefined where no cgroup file system is mounted. */
  layout: CgroupLayout | undefined
  /** SECCOMP_FILTER_FLAG_* that this kernel has. */
  seccompFlags: number
}

/**
 * Annotations of a configuration that change what we do, so that whoever lets users write annotations can refuse
 * them (CVE-2024-3154); one that ends in a dot stands for all that begin with it.
 */
const unsafeAnnotations: readonly string[] = [
  'org.criu.config', // a file of the host is read
  landlockAnnotation, // it can only take rights away, but that may be what keeps a program from starting
  'run.oci.hooks.stderr', // a file of the host is written
  'run.oci.hooks.stdout',
  'run.oci.mount_context_type',
  'run.oci.pidfd_receiver',
  ...unsafeSeccompAnnotations,
]

/**
 * The features document (runtime-spec features.md): what this runtime can do, and in annotations what it cannot do on
 * this very host. A feature is true only when it is done, not when it is accepted.
 */
export function features({ version, commit, layout, seccompFlags }: FeaturesInput): Record<string, unknown> {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: ociVersion,
    hooks: [...hookNames],
    mountOptions: knownMountOptions,
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'],
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: knownActions,
        operators: operators.map((operator) => `SCMP_CMP_${operator}`),
        archs: knownArchitectures,
        knownFlags,
        supportedFlags: flagNames(seccompFlags),
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: memoryPolicyModes, flags: memoryPolicyFlags },
      netDevices: { enabled: true },
      mountExtensions: { idmap: { enabled: true } },
    },
    annotations: {
      'io.keelson.version': version,
      'io.keelson.commit': commit,
      'io.keelson.checkpoint': 'with criu',
      'io.keelson.cgroup.mode': layout?.mode ?? 'none',
      'io.keelson.cgroup.controllers': controllers(layout).join(','),
      'io.keelson.cgroup.devices': 'enforced',
    },
    potentiallyUnsafeConfigAnnotations: unsafeAnnotations,
  }
}

function controllers(layout: CgroupLayout | undefined): string[] {
  const all = [...(layout?.v1 ?? []), ...(layout?.v2 ? [layout.v2] : [])].flatMap((one) => one.controllers)
  return [...new Set(all)].filter((name) => !name.startsWith('name=')).sort()
}
