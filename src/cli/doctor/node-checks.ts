import { join } from 'node:path'
import { isIdmappable } from '../../kernel/file-system.ts'
import { type Check, type Finding, failed, numberIn, ok, type Places, warning } from './check.ts'
import type { Host } from './host.ts'
import { holds } from './kernel-checks.ts'

/** What lies on the machine's disks, in its network and its limits. */
export const nodeChecks: readonly Check[] = [
  {
    name: 'node',
    look({ nodeVersion }) {
      const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
      const isEnough = major > 20 || (major === 20 && minor >= 19)
      return isEnough ? ok(nodeVersion) : failed(`${nodeVersion}: 20.19 or newer is needed`)
    },
  },
  {
    name: 'overlay',
    look: (host) =>
      /\boverlay$/m.test(host.read('/proc/filesystems') ?? '')
        ? ok('available')
        : failed('the kernel has no overlay file system: load the module overlay'),
  },
  { name: 'data directory', look: dataDirectory },
  { name: 'disk', look: disk },
  { name: 'run directory', look: runDirectory },
  { name: 'idmapped mounts', look: idmappedMounts },
  {
    name: 'nftables',
    look(host) {
      const path = host.program('nft')
      return path ? ok(path) : failed('the program nft is missing: install the package nftables')
    },
  },
  {
    name: 'forwarding',
    look(host) {
      const path = '/proc/sys/net/ipv4/ip_forward'
      if (host.read(path)?.trim() === '1') return ok('on')
      if (host.mayWrite(path)) return ok('off; keelson turns it on and back off')
      if (!holds(host, 'CAP_NET_ADMIN')) return warning('off, and only root can turn it on')
      return failed(`off, and ${path} cannot be written: pods would reach nobody`)
    },
  },
  { name: 'CNI', look: cni },
  {
    name: 'IPv6',
    look: (host) =>
      host.read('/proc/sys/net/ipv6/conf/all/disable_ipv6')?.trim() === '0'
        ? ok('on')
        : warning('off: pods have IPv4 addresses only'),
  },
  {
    name: 'inotify',
    look(host) {
      const instances = numberIn(host, '/proc/sys/fs/inotify/max_user_instances')
      const detail = `${instances} instances (keelson uses two at most)`
      return instances >= 16 ? ok(detail) : warning(detail)
    },
  },
  { name: 'processes', look: processes },
  {
    name: 'open files',
    look(host) {
      const limits = host.read('/proc/self/limits') ?? ''
      const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? 'unlimited'
      const isEnough = hard === 'unlimited' || Number(hard) >= 65_536
      return isEnough
        ? ok(`${hard} at most`)
        : warning(`${hard} at most: a few thousand containers need 65536`)
    },
  },
  {
    name: 'criu',
    look(host) {
      const path = host.program('criu')
      return path ? ok(path) : warning('not installed: containers cannot be checkpointed')
    },
  },
]

const noUpper = ['overlay', 'nfs', 'fuse', 'cifs', '9p']

function dataDirectory(host: Host, { dataDirectory }: Places): Finding {
  const { type } = host.fileSystem(dataDirectory)
  if (noUpper.includes(type))
    return failed(
      `${dataDirectory} is on ${type}, which cannot carry the writable layer of an overlay: use --data-dir`,
    )
  if (type === 'tmpfs' || type === 'ramfs')
    return warning(`${dataDirectory} is on ${type}: images take memory and a reboot takes them`)
  return ok(`${dataDirectory} on ${type}`)
}

function disk(host: Host, { dataDirectory }: Places): Finding {
  const { freeBytes, freeInodes } = host.fileSystem(dataDirectory)
  const freeGib = freeBytes / 2 ** 30
  const detail = `${freeGib.toFixed(1)} GiB free for ${dataDirectory}`
  if (freeInodes < 100_000) return warning(`${detail}, but ${freeInodes} inodes: an image may need more`)
  return freeGib > 2 ? ok(detail) : warning(detail)
}

function runDirectory(host: Host, { runDirectory }: Places): Finding {
  const { type } = host.fileSystem(runDirectory)
  if (type === 'tmpfs' || type === 'ramfs') return ok(`${runDirectory} in memory (${type})`)
  return warning(
    `${runDirectory} is on ${type}, not in memory: each start waits for it, and a reboot leaves it behind`,
  )
}

function idmappedMounts(host: Host, { dataDirectory }: Places): Finding {
  const { type } = host.fileSystem(dataDirectory)
  if (isIdmappable(type, host.read('/proc/sys/kernel/osrelease') ?? '')) return ok(`on ${type}`)
  return warning(`not on ${type} with this kernel: user namespaces for pods need them`)
}

/** Configurations of CNI decide about pods' networks; a plugin that they name must be there. */
function cni(host: Host): Finding {
  const folder = '/etc/cni/net.d'
  const [first] = host.list(folder).filter((name) => /\.(conf|conflist|json)$/.test(name))
  if (first === undefined) return ok(`no configuration in ${folder}: the built-in network is used`)
  const types = pluginTypes(host.read(join(folder, first)) ?? '')
  const missing = types.filter((type) => !pluginFolders.some((bin) => host.exists(join(bin, type))))
  if (missing.length === 0) return ok(`${first}: ${types.join(', ')}`)
  return warning(`${first} wants the plugin ${missing.join(', ')}, not in ${pluginFolders.join(' or ')}`)
}

const pluginFolders = ['/opt/cni/bin', '/usr/lib/cni']

function pluginTypes(text: string): string[] {
  return [...new Set([...text.matchAll(/"type"\s*:\s*"([^"/]+)"/g)].map(([, type = '']) => type))]
}

function processes(host: Host): Finding {
  const most = Math.min(
    numberIn(host, '/proc/sys/kernel/pid_max'),
    numberIn(host, '/proc/sys/kernel/threads-max'),
  )
  const detail = `${most} at most`
  return most >= 32_768 ? ok(detail) : warning(`${detail}: a node full of pods has more threads`)
}
