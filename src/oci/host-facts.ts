import { existsSync, readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { landlockAbi, seccompFlags } from '../kernel/index.ts'
import { type HostView, thisHost } from './host-view.ts'

/**
 * What of the kernel and of this machine decides whether a specification can be met. Read when first asked for, since
 * most specifications ask for none of it; handed to the compiler, which looks at nothing itself.
 */
export interface HostFacts {
  /** Where AppArmor's files lie below /proc/PID/attr: `apparmor/` since Linux 5.8, else nothing. Undefined: off. */
  readonly appArmor: string | undefined
  readonly seLinux: boolean
  /** 0 where there is none. */
  readonly landlockAbi: number
  /** SECCOMP_FILTER_FLAG_*. */
  readonly seccompFlags: number
  readonly resctrl: Resctrl | undefined
}

export interface Resctrl {
  mountPoint: string
  /** Names below `info`: L3, L3CODE, MB, L3_MON, … */
  resources: readonly string[]
  /** `schemata` of a group; undefined where there is no such group. */
  schemata(group: string): string | undefined
}

const seLinuxMagic = 0xf97cff8c

export function readHostFacts(view = thisHost): HostFacts {
  const known: { -readonly [Name in keyof HostFacts]?: HostFacts[Name] } = {}
  const once = <Name extends keyof HostFacts>(name: Name, read: () => HostFacts[Name]): HostFacts[Name] => {
    if (!(name in known)) known[name] = read()
    return known[name] as HostFacts[Name]
  }
  return {
    get appArmor() {
      return once('appArmor', () => readAppArmor('/', view))
    },
    get seLinux() {
      return once('seLinux', () => hasSeLinux(view))
    },
    get landlockAbi() {
      return once('landlockAbi', landlockAbi)
    },
    get seccompFlags() {
      return seccompFlags()
    },
    get resctrl() {
      return once('resctrl', () => readResctrl())
    },
  }
}

/** As runc decides it: the module is on, and its file system is there to load profiles with. */
export function readAppArmor(root = '/', view = thisHost): string | undefined {
  if (!view.exists(join(root, 'sys/kernel/security/apparmor'))) return undefined
  const enabled = view.read(join(root, 'sys/module/apparmor/parameters/enabled'))
  if (!enabled?.startsWith('Y')) return undefined
  return view.exists(join(root, 'proc/self/attr/apparmor')) ? 'apparmor/' : ''
}

function hasSeLinux(view: HostView): boolean {
  try {
    return view.exists('/sys/fs/selinux/enforce') && statfsSync('/sys/fs/selinux').type === seLinuxMagic
  } catch {
    return false
  }
}

/** From what is mounted: the file system may be anywhere, mostly /sys/fs/resctrl. */
export function readResctrl(mounts = thisHost.read('/proc/self/mounts') ?? ''): Resctrl | undefined {
  const line = mounts.split('\n').find((one) => one.split(' ')[2] === 'resctrl')
  const mountPoint = line?.split(' ')[1]
  if (mountPoint === undefined) return undefined
  const info = join(mountPoint, 'info')
  return {
    mountPoint,
    resources: existsSync(info) ? readdirSync(info) : [],
    schemata: (group) => thisHost.read(join(mountPoint, group, 'schemata')),
  }
}
