import { capabilityNames } from '../../oci/capabilities.ts'
import { type Check, failed, isAtLeast, numberIn, ok, warning } from './check.ts'
import type { Host } from './host.ts'

/** What the kernel has, and what of it this process may use. */
export const kernelChecks: readonly Check[] = [
  {
    name: 'kernel',
    look(host) {
      const release = host.read('/proc/sys/kernel/osrelease')?.trim() ?? 'unknown'
      return isAtLeast(host, 5, 14) ? ok(release) : failed(`${release}: 5.14 or newer is needed`)
    },
  },
  {
    name: 'root',
    look(host) {
      if (!isRoot(host)) return warning('not root: clusters and containers of pods need it')
      const isFirst = /^\s*0\s+0\s+4294967295\s*$/.test(host.read('/proc/self/uid_map') ?? '')
      return isFirst
        ? ok('of the whole machine')
        : warning('of a user namespace: devices and some mounts are refused')
    },
  },
  { name: 'capabilities', look: capabilities },
  {
    name: 'CAP_SYS_RESOURCE',
    look: (host) =>
      holds(host, 'CAP_SYS_RESOURCE')
        ? ok('held')
        : warning(
            'not held: hard rlimits cannot be raised and oom_score_adj cannot be lowered for containers',
          ),
  },
  { name: 'cgroups', look: cgroups },
  { name: 'controllers', look: controllers },
  {
    name: 'seccomp',
    look: (host) =>
      host.exists('/proc/sys/kernel/seccomp/actions_avail')
        ? ok('filters available')
        : failed('the kernel has no seccomp filters'),
  },
  {
    name: 'user namespaces',
    look(host) {
      const most = numberIn(host, '/proc/sys/user/max_user_namespaces')
      const has = host.exists('/proc/self/ns/user') && most > 0
      return has ? ok(`${most} at most`) : warning('none: pods with hostUsers: false are refused')
    },
  },
  {
    name: 'security modules',
    look(host) {
      const active = host.read('/sys/kernel/security/lsm')?.trim()
      return ok(active ? active : 'cannot be told: securityfs is not mounted')
    },
  },
  {
    name: 'pressure',
    look: (host) =>
      host.exists('/proc/pressure/cpu')
        ? ok('told (PSI)')
        : warning('not told: statistics have no pressure (PSI)'),
  },
]

/** Without one of these not even an ordinary pod can be made. */
const needed = [
  ...['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_KILL'],
  ...['CAP_MKNOD', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE'],
] as const

function capabilities(host: Host) {
  const missing = needed.filter((name) => !holds(host, name))
  if (missing.length === 0) return ok(`the ${needed.length} that are needed are held`)
  const detail = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not held`
  return isRoot(host) ? failed(detail) : warning('those of root are needed')
}

function isRoot(host: Host): boolean {
  return /^Uid:\s+\d+\s+0\s/m.test(host.read('/proc/self/status') ?? '')
}

/** In the effective set of this process. */
export function holds(host: Host, name: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(host.read('/proc/self/status') ?? '')?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> BigInt(capabilityNames.indexOf(name))) & 1n) === 1n
}

interface CgroupMounts {
  v1: string[]
  v2: string | undefined
}

function cgroupMounts(host: Host): CgroupMounts {
  const mounts = (host.read('/proc/self/mounts') ?? '').split('\n').map((line) => line.split(' '))
  const v1 = mounts.filter(([, , type, options]) => type === 'cgroup' && !options?.includes('name='))
  return {
    v1: v1.flatMap(([, , , options = '']) => options.split(',')),
    v2: mounts.find(([, , type]) => type === 'cgroup2')?.[1],
  }
}

function cgroups(host: Host) {
  const { v1, v2 } = cgroupMounts(host)
  if (v1.length === 0 && v2 === undefined) return failed('no cgroup file system is mounted')
  if (v1.length === 0) return ok('v2')
  return ok(v2 === undefined ? 'v1' : 'hybrid; a kubelet from 1.35 on wants failCgroupV1: false')
}

/** Limits that a kubelet sets on every pod. */
const wanted = ['cpu', 'memory', 'pids', 'cpuset'] as const

function controllers(host: Host) {
  const { v1, v2 } = cgroupMounts(host)
  const unified = v2 === undefined ? [] : (host.read(`${v2}/cgroup.controllers`) ?? '').trim().split(' ')
  const missing = wanted.filter((name) => !v1.includes(name) && !unified.includes(name))
  if (missing.length === 0) return ok(wanted.join(', '))
  return warning(`${missing.join(', ')} missing: these limits do not hold`)
}
