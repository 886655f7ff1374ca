import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { thisHost } from '../host-view.ts'

/** One mounted hierarchy and where this process is in it. */
export interface CgroupHierarchy {
  /** v1: the controllers mounted together, or `name=systemd`; v2: what cgroup.controllers offers at the root. */
  controllers: string[]
  mountPoint: string
  /** This process's cgroup, as a path below the mount point: `/` or `/a/b`. */
  own: string
}

export interface CgroupLayout {
  mode: 'v1' | 'hybrid' | 'v2'
  v1: CgroupHierarchy[]
  v2?: CgroupHierarchy
}

export interface CgroupFacts {
  /** Text of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
  mountinfo: string
  /** Text of /proc/self/cgroup (cgroups(7)). */
  cgroup: string
  /** Text of cgroup.controllers of the v2 root. */
  v2Controllers: (mountPoint: string) => string
  /** `major:minor` of what a path shows now; undefined where it leads nowhere. Default: as mountinfo says. */
  deviceAt?: (mountPoint: string) => string | undefined
}

/** Which hierarchies this host has. Pure. FAILED_PRECONDITION where none is mounted. */
export function parseCgroupLayout({ mountinfo, cgroup, v2Controllers, deviceAt }: CgroupFacts): CgroupLayout {
  const own = ownPaths(cgroup)
  const v1: CgroupHierarchy[] = []
  let v2: CgroupHierarchy | undefined
  for (const mount of cgroupMounts(mountinfo)) {
    // Another mount may lie over this one; what cannot be reached by its path is no hierarchy for us.
    if (deviceAt && deviceAt(mount.mountPoint) !== mount.device) continue
    if (mount.type === 'cgroup2')
      v2 ??= {
        controllers: words(v2Controllers(mount.mountPoint)),
        mountPoint: mount.mountPoint,
        own: below(mount.root, own.get('') ?? '/'),
      }
    else addV1(v1, mount, own)
  }
  if (v1.length === 0 && !v2)
    throw new KeelsonError('FAILED_PRECONDITION', 'no cgroup file system is mounted', {
      hint: 'mount cgroup2 on /sys/fs/cgroup',
    })
  if (!v2) return { mode: 'v1', v1 }
  return { mode: v1.length === 0 ? 'v2' : 'hybrid', v1, v2 }
}

/** The layout of the running host, as this process sees it. Small reads from procfs and cgroupfs: instant. */
export function readCgroupLayout(): CgroupLayout {
  return parseCgroupLayout({
    mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    cgroup: readFileSync('/proc/self/cgroup', 'utf8'),
    v2Controllers: (mountPoint) => readFileSync(posix.join(mountPoint, 'cgroup.controllers'), 'utf8'),
    deviceAt: thisHost.deviceAt,
  })
}

/** The v1 hierarchy of a controller, if the host has one. */
export function v1Hierarchy(layout: CgroupLayout, controller: string): CgroupHierarchy | undefined {
  return layout.v1.find(({ controllers }) => controllers.includes(controller))
}

interface CgroupMount {
  type: string
  device: string
  root: string
  mountPoint: string
  options: string[]
}

/** Fields 3 to 5, then, after the lone `-`: type, source, super options. */
function cgroupMounts(mountinfo: string): CgroupMount[] {
  const lines = mountinfo.split('\n').filter((line) => line.includes(' - cgroup'))
  return lines.flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , device = '', root = '', mountPoint = ''] = before.split(' ')
    const [type = '', , options = ''] = after.split(' ')
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    return [
      {
        type,
        device,
        root: decodePath(root),
        mountPoint: decodePath(mountPoint),
        options: options.split(','),
      },
    ]
  })
}

const notControllers = new Set(['rw', 'ro', 'xattr', 'clone_children', 'noprefix', 'none', 'favordynmods'])

/** A hierarchy mounted in two places (a bind mount) counts once: the first one, as the kernel lists them. */
function addV1(v1: CgroupHierarchy[], mount: CgroupMount, own: Map<string, string>): void {
  const controllers = mount.options.filter(
    (option) => !notControllers.has(option) && !/^release_agent=/.test(option),
  )
  const [first] = controllers
  if (first === undefined || v1.some((one) => one.controllers.includes(first))) return
  v1.push({ controllers, mountPoint: mount.mountPoint, own: below(mount.root, own.get(first) ?? '/') })
}

/** Text of /proc/PID/cgroup: controller (or `name=…`, or '' for v2) → path. */
export function ownPaths(cgroup: string): Map<string, string> {
  const paths = new Map<string, string>()
  for (const line of cgroup.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (!match) continue
    for (const controller of (match[1] ?? '').split(',')) paths.set(controller, match[2] ?? '/')
  }
  return paths
}

/** `own` seen from the mount, which may show only a part of the hierarchy (inside another container). */
function below(root: string, own: string): string {
  if (root === '/') return own
  if (own === root) return '/'
  return own.startsWith(`${root}/`) ? own.slice(root.length) : '/'
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function decodePath(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
