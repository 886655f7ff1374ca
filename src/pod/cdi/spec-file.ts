import { KeelsonError } from '../../base/index.ts'

/** What a CDI file may say (Container Device Interface, SPEC.md 1.0), by its own field names. */
export interface CdiFile {
  cdiVersion: string
  /** `vendor.com/class`. */
  kind: string
  containerEdits?: CdiEdits
  devices: CdiDevice[]
}

export interface CdiDevice {
  name: string
  containerEdits: CdiEdits
}

export interface CdiEdits {
  env?: string[]
  deviceNodes?: CdiDeviceNode[]
  mounts?: { hostPath: string; containerPath: string; type?: string; options?: string[] }[]
  hooks?: CdiHook[]
  additionalGids?: number[]
  intelRdt?: {
    closID?: string
    l3CacheSchema?: string
    memBwSchema?: string
    schemata?: string[]
    enableMonitoring?: boolean
  }
  netDevices?: { hostInterfaceName: string; name: string }[]
}

export interface CdiDeviceNode {
  /** In the container, and on the host unless `hostPath` says otherwise. */
  path: string
  hostPath?: string
  type?: string
  major?: number
  minor?: number
  fileMode?: number
  permissions?: string
  uid?: number
  gid?: number
}

export interface CdiHook {
  hookName: string
  path: string
  args?: string[]
  env?: string[]
  timeout?: number
}

const vendor = /^[A-Za-z][A-Za-z0-9._-]*$/
const className = /^[A-Za-z][A-Za-z0-9_-]*$/
const deviceName = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/

/** `vendor.com/class=device`; undefined for anything else. */
export function parseDeviceName(text: string): { kind: string; device: string } | undefined {
  const [, first = '', second = '', device = ''] = /^([^/=]+)\/([^/=]+)=(.+)$/.exec(text) ?? []
  if (!vendor.test(first) || !className.test(second) || !deviceName.test(device)) return undefined
  return { kind: `${first}/${second}`, device }
}

/** What a file says, parsed. FAILED_PRECONDITION, naming the file, when that is nothing of CDI. */
export function checkedCdiFile(path: string, value: unknown): CdiFile {
  const { cdiVersion, kind, devices, containerEdits } = objectOf(value, path, 'it')
  if (typeof cdiVersion !== 'string' || !/^(0\.[3-9]|1\.\d+)\.\d+$/.test(cdiVersion))
    throw bad(path, `cdiVersion ${JSON.stringify(cdiVersion)} is not known`)
  if (typeof kind !== 'string' || !parseDeviceName(`${kind}=x`))
    throw bad(path, `kind ${JSON.stringify(kind)} is not vendor/class`)
  if (!Array.isArray(devices) || devices.length === 0) throw bad(path, 'it has no devices')
  const named = devices.map((device) => checkedDevice(device, path))
  if (new Set(named.map(({ name }) => name)).size < named.length)
    throw bad(path, 'two devices have the same name')
  const common = containerEdits === undefined ? {} : { containerEdits: checkedEdits(containerEdits, path) }
  return { cdiVersion, kind, devices: named, ...common }
}

function checkedDevice(value: unknown, path: string): CdiDevice {
  const { name, containerEdits } = objectOf(value, path, 'a device')
  if (typeof name !== 'string' || !deviceName.test(name))
    throw bad(path, `${JSON.stringify(name)} is no name of a device`)
  return { name, containerEdits: checkedEdits(containerEdits ?? {}, path) }
}

const lists = ['env', 'deviceNodes', 'mounts', 'hooks', 'additionalGids', 'netDevices'] as const

/** The shape only; what the values are worth, the container's whole specification is looked through for. */
function checkedEdits(value: unknown, path: string): CdiEdits {
  const edits = objectOf(value, path, 'containerEdits')
  for (const name of lists)
    if (edits[name] !== undefined && !Array.isArray(edits[name])) throw bad(path, `${name} is no list`)
  const strings: readonly [keyof CdiEdits, readonly string[]][] = [
    ['deviceNodes', ['path']],
    ['mounts', ['hostPath', 'containerPath']],
    ['hooks', ['hookName', 'path']],
    ['netDevices', ['hostInterfaceName', 'name']],
  ]
  for (const [list, names] of strings)
    for (const item of (edits[list] as unknown[] | undefined) ?? [])
      for (const name of names)
        if (typeof objectOf(item, path, list)[name] !== 'string') throw bad(path, `${list} need ${name}`)
  return edits as CdiEdits
}

function objectOf(value: unknown, path: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw bad(path, `${what} is no object`)
}

function bad(path: string, why: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', `the CDI file ${path}: ${why}`, { path })
}
