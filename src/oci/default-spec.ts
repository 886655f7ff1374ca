import type { Capabilities, Mount, Spec } from './spec.ts'

export const ociVersion = '1.3.0'

export interface DefaultSpecOptions {
  /** A specification that an ordinary user can run: a user namespace, no cgroup limits, sysfs bound. */
  rootless?: { uid: number; gid: number }
}

/** What `spec` writes: `sh` on a terminal in a read-only root file system called rootfs, as runc's. */
export function defaultSpec({ rootless }: DefaultSpecOptions = {}): Spec {
  const spec: Spec = {
    ociVersion,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: sameIn(['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']),
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'keelson',
    mounts: defaultMounts,
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
        '/sys/devices/virtual/tpm',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
  return rootless ? toRootless(spec, rootless) : spec
}

function sameIn(names: string[]): Capabilities {
  return { bounding: names, effective: names, permitted: names }
}

/** What every container gets below /dev, whoever asks for it. */
export const deviceMounts: Readonly<Record<'dev' | 'pts' | 'mqueue', Mount>> = {
  dev: {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  pts: {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  mqueue: {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  },
}

const defaultMounts: Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  deviceMounts.dev,
  deviceMounts.pts,
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  deviceMounts.mqueue,
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
  },
]

/** sysfs belongs to the network namespace's owner, and gid 5 has no mapping: both are left out or bound. */
function toRootless(spec: Spec, { uid, gid }: { uid: number; gid: number }): Spec {
  const mounts = defaultMounts
    .filter(({ type }) => type !== 'cgroup')
    .map((mount): Mount => {
      if (mount.type === 'sysfs')
        return {
          destination: '/sys',
          type: 'none',
          source: '/sys',
          options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
        }
      return {
        ...mount,
        ...(mount.options ? { options: mount.options.filter((one) => one !== 'gid=5') } : {}),
      }
    })
  const { resources: _, namespaces = [], ...linux } = spec.linux ?? {}
  return {
    ...spec,
    mounts,
    linux: {
      ...linux,
      namespaces: [...namespaces.filter(({ type }) => type !== 'network'), { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    },
  }
}
