import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'

/**
 * Mount options of config.md ("Linux mount options") as the kernel takes them: MS_* bits for mount(2), MOUNT_ATTR_*
 * bits for mount_setattr(2), propagation, and what is left over as the file system's own data.
 */
export interface MountOptions {
  /** MS_* bits that options switched on. */
  flags: number
  /** MS_* bits that options switched off (`suid` clears MS_NOSUID). */
  clearedFlags: number
  /** The per-mount part of the same, as MOUNT_ATTR_* bits. */
  attributes: AttributeChange
  /** `rro`, `rnosuid`, …: for the mount and everything below it (AT_RECURSIVE). */
  recursive: AttributeChange
  /** MS_SHARED, MS_SLAVE, … with MS_REC where asked: what has to be applied, in order. */
  propagation: number[]
  bind: boolean
  recursiveBind: boolean
  remount: boolean
  tmpcopyup: boolean
  /** A source that is a symlink is itself bound (crun). */
  sourceNofollow: boolean
  /** A symlink at the destination is itself covered (crun). */
  destinationNofollow: boolean
  /** A source that is a symlink is made again at the destination (crun). */
  copySymlink: boolean
  idmap?: 'idmap' | 'ridmap'
  /** crun's `idmap=uids=…;gids=…`: what follows the first `=`. */
  idmapText?: string
  /** Options for the file system itself: `size=65536k`, `lowerdir=…`. */
  data: string[]
}

export interface AttributeChange {
  set: number
  clear: number
}

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  MANDLOCK: 64,
  DIRSYNC: 128,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  SILENT: 32768,
  POSIXACL: 65536,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const

export const MOUNT_ATTR = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  /** The field of the three access time modes: relatime 0, noatime 0x10, strictatime 0x20. */
  ATIME_MASK: 0x70,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const

/** option → MS_* bit; `off` options clear it. */
const flagOptions: Readonly<Record<string, { bit: number; off?: true }>> = {
  ro: { bit: MS.RDONLY },
  rw: { bit: MS.RDONLY, off: true },
  nosuid: { bit: MS.NOSUID },
  suid: { bit: MS.NOSUID, off: true },
  nodev: { bit: MS.NODEV },
  dev: { bit: MS.NODEV, off: true },
  noexec: { bit: MS.NOEXEC },
  exec: { bit: MS.NOEXEC, off: true },
  sync: { bit: MS.SYNCHRONOUS },
  async: { bit: MS.SYNCHRONOUS, off: true },
  dirsync: { bit: MS.DIRSYNC },
  mand: { bit: MS.MANDLOCK },
  nomand: { bit: MS.MANDLOCK, off: true },
  noatime: { bit: MS.NOATIME },
  atime: { bit: MS.NOATIME, off: true },
  nodiratime: { bit: MS.NODIRATIME },
  diratime: { bit: MS.NODIRATIME, off: true },
  relatime: { bit: MS.RELATIME },
  norelatime: { bit: MS.RELATIME, off: true },
  strictatime: { bit: MS.STRICTATIME },
  nostrictatime: { bit: MS.STRICTATIME, off: true },
  lazytime: { bit: MS.LAZYTIME },
  nolazytime: { bit: MS.LAZYTIME, off: true },
  iversion: { bit: MS.I_VERSION },
  noiversion: { bit: MS.I_VERSION, off: true },
  silent: { bit: MS.SILENT },
  loud: { bit: MS.SILENT, off: true },
  acl: { bit: MS.POSIXACL },
  noacl: { bit: MS.POSIXACL, off: true },
  nosymfollow: { bit: MS.NOSYMFOLLOW },
  symfollow: { bit: MS.NOSYMFOLLOW, off: true },
}

const propagationOptions: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
}

/**
 * option without its `r` → mount attribute bits. Any change of the access time mode has to clear the whole field
 * first (mount_setattr(2)), hence ATIME_MASK in `clear`.
 */
const attributeOptions: Readonly<Record<string, AttributeChange>> = {
  ro: { set: MOUNT_ATTR.RDONLY, clear: 0 },
  rw: { set: 0, clear: MOUNT_ATTR.RDONLY },
  nosuid: { set: MOUNT_ATTR.NOSUID, clear: 0 },
  suid: { set: 0, clear: MOUNT_ATTR.NOSUID },
  nodev: { set: MOUNT_ATTR.NODEV, clear: 0 },
  dev: { set: 0, clear: MOUNT_ATTR.NODEV },
  noexec: { set: MOUNT_ATTR.NOEXEC, clear: 0 },
  exec: { set: 0, clear: MOUNT_ATTR.NOEXEC },
  nodiratime: { set: MOUNT_ATTR.NODIRATIME, clear: 0 },
  diratime: { set: 0, clear: MOUNT_ATTR.NODIRATIME },
  noatime: { set: MOUNT_ATTR.NOATIME, clear: MOUNT_ATTR.ATIME_MASK },
  atime: { set: 0, clear: MOUNT_ATTR.ATIME_MASK },
  relatime: { set: 0, clear: MOUNT_ATTR.ATIME_MASK },
  norelatime: { set: 0, clear: MOUNT_ATTR.ATIME_MASK },
  strictatime: { set: MOUNT_ATTR.STRICTATIME, clear: MOUNT_ATTR.ATIME_MASK },
  nostrictatime: { set: 0, clear: MOUNT_ATTR.ATIME_MASK },
  nosymfollow: { set: MOUNT_ATTR.NOSYMFOLLOW, clear: 0 },
  symfollow: { set: 0, clear: MOUNT_ATTR.NOSYMFOLLOW },
}

const recursiveNames = new Map(Object.keys(attributeOptions).map((name) => [`r${name}`, name]))

/** Every option that has a meaning of its own, sorted: for `features`. */
export const knownMountOptions: readonly string[] = [
  ...Object.keys(flagOptions),
  ...Object.keys(propagationOptions),
  ...recursiveNames.keys(),
  'bind',
  'copy-symlink',
  'defaults',
  'dest-nofollow',
  'idmap',
  'rbind',
  'remount',
  'ridmap',
  'src-nofollow',
  'tmpcopyup',
].sort()

/** Later options win over earlier ones, as in mount(8). Never fails: what is not known is data for the file system. */
export function parseMountOptions(options: readonly string[] = []): MountOptions {
  const result: MountOptions = {
    flags: 0,
    clearedFlags: 0,
    attributes: { set: 0, clear: 0 },
    recursive: { set: 0, clear: 0 },
    propagation: [],
    bind: false,
    recursiveBind: false,
    remount: false,
    tmpcopyup: false,
    sourceNofollow: false,
    destinationNofollow: false,
    copySymlink: false,
    data: [],
  }
  for (const option of options) applyOption(result, option)
  return result
}

function applyOption(result: MountOptions, option: string): void {
  const flag = flagOptions[option]
  const propagation = propagationOptions[option]
  const recursive = recursiveNames.get(option)
  if (flag) applyFlag(result, option, flag)
  else if (propagation !== undefined) addPropagation(result.propagation, propagation)
  else if (recursive) mergeAttributes(result.recursive, attributeOptions[recursive])
  else if (!applyWord(result, option) && !applyIdmap(result, option)) result.data.push(option)
}

/** A later kind undoes the earlier ones, except that a slave may be shared as well (mount_namespaces(7)). */
function addPropagation(list: number[], kind: number): void {
  const keepsSlave = (kind & MS.SHARED) !== 0
  list.splice(0, list.length, ...list.filter((one) => keepsSlave && (one & MS.SLAVE) !== 0), kind)
}

function applyFlag(result: MountOptions, option: string, { bit, off }: { bit: number; off?: true }): void {
  result.flags = off ? result.flags & ~bit : result.flags | bit
  result.clearedFlags = off ? result.clearedFlags | bit : result.clearedFlags & ~bit
  mergeAttributes(result.attributes, attributeOptions[option])
}

function mergeAttributes(into: AttributeChange, change: AttributeChange | undefined): void {
  if (!change) return
  into.set = (into.set & ~change.clear) | change.set
  into.clear = (into.clear & ~change.set) | change.clear
}

function applyWord(result: MountOptions, option: string): boolean {
  switch (option) {
    case 'bind':
    case 'rbind':
      result.bind = true
      result.recursiveBind ||= option === 'rbind'
      return true
    case 'remount':
      result.remount = true
      return true
    case 'tmpcopyup':
      result.tmpcopyup = true
      return true
    case 'src-nofollow':
      result.sourceNofollow = true
      return true
    case 'dest-nofollow':
      result.destinationNofollow = true
      return true
    case 'copy-symlink':
      result.copySymlink = true
      return true
    case 'idmap':
    case 'ridmap':
      result.idmap = option
      return true
    case 'defaults':
      return true
    default:
      return false
  }
}

function applyIdmap(result: MountOptions, option: string): boolean {
  const [, word, text] = /^(r?idmap)=(.*)$/.exec(option) ?? []
  if (text === undefined) return false
  result.idmap = word === 'ridmap' ? 'ridmap' : 'idmap'
  result.idmapText = text
  return true
}

/** `linux.rootfsPropagation` as MS_* bits, undefined when absent. INVALID_ARGUMENT for an unknown word. */
export function rootfsPropagation(word: string | undefined): number | undefined {
  if (word === undefined || word === '') return undefined
  const flags = propagationOptions[word]
  if (flags !== undefined) return flags
  throw new KeelsonError('INVALID_ARGUMENT', `linux.rootfsPropagation: unknown propagation ${shown(word)}`, {
    path: 'linux.rootfsPropagation',
    hint: `use one of ${Object.keys(propagationOptions).join(', ')}`,
  })
}
