import { posix } from 'node:path'
import { KeelsonError } from '../base/index.ts'
import { rootfsPropagation } from './mount-options.ts'
import { compileRlimits } from './rlimits.ts'
import type { Hooks, IdMapping, Linux, LinuxResources, Mount, Process, Spec } from './spec.ts'
import { checkShape, processShape, resourcesShape, specShape } from './spec-shape.ts'

/**
 * config.json, looked through before the kernel is touched. Each failure is an INVALID_ARGUMENT with the JSON path
 * of the value that is wrong, and a hint that says what to write instead.
 */
export function validateSpec(value: unknown): Spec {
  const spec = checkShape(value, specShape, '') as Spec
  checkVersion(spec.ociVersion)
  if (spec.process) checkProcess(spec.process, 'process')
  checkRoot(spec)
  const namespaces = checkNamespaces(spec.linux)
  checkNames(spec, namespaces)
  spec.mounts?.forEach((mount, index) => {
    checkMount(mount, `mounts[${index}]`)
  })
  checkHooks(spec.hooks)
  if (spec.linux) checkLinux(spec.linux, namespaces)
  return { ...spec, ...(spec.mounts ? { mounts: spec.mounts.map(absoluteDestination) } : {}) }
}

/** The same for the process of an exec. */
export function validateProcess(value: unknown, path = 'process'): Process {
  const process = checkShape(value, processShape, path) as Process
  checkProcess(process, path)
  return process
}

/** The same for the resources of an update. */
export function validateResources(value: unknown, path = 'linux.resources'): LinuxResources {
  return checkShape(value, resourcesShape, path) as LinuxResources
}

function fail(path: string, message: string, hint: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}

function checkVersion(version: string): void {
  if (!/^1\.\d+\.\d+([-+].*)?$/.test(version))
    fail('ociVersion', `${JSON.stringify(version)} is not supported`, 'use a version 1.x.y, such as 1.2.0')
}

function checkProcess(program: Process, path: string): void {
  const { args, cwd, env, oomScoreAdj: score, rlimits } = program
  if (!args?.length) fail(`${path}.args`, 'no program is given', 'write the program and its arguments')
  if (args[0] === '') fail(`${path}.args[0]`, 'the program’s name is empty', 'write the program to run')
  if (!cwd.startsWith('/'))
    fail(`${path}.cwd`, `${JSON.stringify(cwd)} is not absolute`, 'write a path that starts with /')
  env?.forEach((entry, index) => {
    if (!/^[^=]+=/.test(entry))
      fail(`${path}.env[${index}]`, `${JSON.stringify(entry)} is not NAME=VALUE`, 'write NAME=VALUE')
  })
  checkUser(program, path)
  if (score !== undefined && (score < -1000 || score > 1000))
    fail(`${path}.oomScoreAdj`, `${score} is out of range`, 'use -1000 to 1000')
  compileRlimits(rlimits)
  rlimits?.forEach(({ type, soft, hard }, index) => {
    if (hard >= 0 && soft > hard)
      fail(`${path}.rlimits[${index}]`, `${type}: soft is above hard`, 'lower soft or raise hard')
  })
}

/** -1 (4294967295) is the kernel's word for "leave as it is", so it cannot be an id. */
const largestId = 0xfffffffe

function checkUser({ user }: Process, path: string): void {
  if (!user) return
  const ids: [string, number | undefined][] = [
    ['uid', user.uid],
    ['gid', user.gid],
    ...(user.additionalGids ?? []).map((gid, index): [string, number] => [`additionalGids[${index}]`, gid]),
  ]
  for (const [name, id] of ids)
    if (id !== undefined && (id < 0 || id > largestId))
      fail(`${path}.user.${name}`, `${id} is no id`, `use 0 to ${largestId}`)
  if (user.umask !== undefined && (user.umask < 0 || user.umask > 0o777))
    fail(`${path}.user.umask`, `${user.umask} is no umask`, 'use 0 to 511 (0777 in octal)')
}

/** A relative path is one inside the bundle. */
function checkRoot({ root }: Spec): void {
  if (!root) fail('root', 'is missing', 'add {"path": "rootfs"}')
  const { path } = root
  if (path === '') fail('root.path', 'is empty', 'write the directory of the root file system')
  if (!path.startsWith('/') && posix.normalize(path).split('/')[0] === '..')
    fail(
      'root.path',
      `the relative path ${JSON.stringify(path)} leaves the bundle`,
      'write an absolute path, or one inside the bundle',
    )
}

const namespaceTypes = ['pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup', 'time']

function checkNamespaces(linux: Linux | undefined): Set<string> {
  const types = new Set<string>()
  linux?.namespaces?.forEach(({ type, path }, index) => {
    const at = `linux.namespaces[${index}]`
    if (!namespaceTypes.includes(type))
      fail(
        `${at}.type`,
        `unknown namespace type ${JSON.stringify(type)}`,
        `use one of ${namespaceTypes.join(', ')}`,
      )
    if (types.has(type)) fail(at, `namespace ${type} is given twice`, 'keep one of them')
    if (path !== undefined && path !== '' && !path.startsWith('/'))
      fail(`${at}.path`, `${JSON.stringify(path)} is not absolute`, 'write a path such as /proc/PID/ns/net')
    types.add(type)
  })
  return types
}

/** Without a namespace of its own the container would rename its host. */
function checkNames({ hostname, domainname }: Spec, namespaces: ReadonlySet<string>): void {
  if (namespaces.has('uts')) return
  if (hostname) fail('hostname', 'needs a uts namespace', 'add {"type": "uts"} to linux.namespaces')
  if (domainname) fail('domainname', 'needs a uts namespace', 'add {"type": "uts"} to linux.namespaces')
}

function checkMount({ destination }: Mount, path: string): void {
  if (destination === '') fail(`${path}.destination`, 'is empty', 'write the path in the container')
}

/** Old configurations have relative destinations; they mean paths below the root (config.md, mounts). */
function absoluteDestination(mount: Mount): Mount {
  return mount.destination.startsWith('/') ? mount : { ...mount, destination: `/${mount.destination}` }
}

function checkHooks(hooks: Hooks | undefined): void {
  for (const [name, list] of Object.entries(hooks ?? {}))
    (list as { path: string; timeout?: number }[]).forEach(({ path, timeout }, index) => {
      if (!path.startsWith('/'))
        fail(
          `hooks.${name}[${index}].path`,
          `${JSON.stringify(path)} is not absolute`,
          'write a path that starts with /',
        )
      if (timeout !== undefined && timeout <= 0)
        fail(`hooks.${name}[${index}].timeout`, 'must be above 0', 'give the seconds, or leave it out')
    })
}

function checkLinux(linux: Linux, namespaces: ReadonlySet<string>): void {
  checkMappings(linux, namespaces)
  checkDevices(linux)
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) checkSysctl(name, value, namespaces)
  rootfsPropagation(linux.rootfsPropagation)
  for (const list of ['maskedPaths', 'readonlyPaths'] as const)
    if (linux[list]?.length && !namespaces.has('mount'))
      fail(`linux.${list}`, 'needs a mount namespace', 'add {"type": "mount"} to linux.namespaces')
  for (const clock of Object.keys(linux.timeOffsets ?? {})) {
    const at = `linux.timeOffsets.${clock}`
    if (clock !== 'monotonic' && clock !== 'boottime') fail(at, 'no such clock', 'use monotonic or boottime')
    if (!namespaces.has('time'))
      fail(at, 'needs a time namespace', 'add {"type": "time"} to linux.namespaces')
  }
  const domain = linux.personality?.domain
  if (domain !== undefined && domain !== 'LINUX' && domain !== 'LINUX32')
    fail('linux.personality.domain', `unknown domain ${JSON.stringify(domain)}`, 'use LINUX or LINUX32')
}

function checkMappings(linux: Linux, namespaces: ReadonlySet<string>): void {
  for (const name of ['uidMappings', 'gidMappings'] as const) {
    const mappings = linux[name] ?? []
    if (mappings.length > 0 && !namespaces.has('user'))
      fail(`linux.${name}`, 'needs a user namespace', 'add {"type": "user"} to linux.namespaces')
    mappings.forEach((mapping, index) => {
      checkMapping(mapping, `linux.${name}[${index}]`)
    })
  }
  const user = linux.namespaces?.find(({ type }) => type === 'user')
  if (user && !user.path && !(linux.uidMappings?.length && linux.gidMappings?.length))
    fail('linux.uidMappings', 'a new user namespace needs mappings', 'add uidMappings and gidMappings')
}

function checkMapping({ containerID, hostID, size }: IdMapping, path: string): void {
  if (size <= 0) fail(`${path}.size`, 'must be above 0', 'give the number of ids')
  for (const [name, id] of [
    ['containerID', containerID],
    ['hostID', hostID],
  ] as const)
    if (id < 0 || id + size - 1 > largestId)
      fail(`${path}.${name}`, `ids ${id} to ${id + size - 1} do not exist`, `stay within 0 to ${largestId}`)
}

function checkDevices(linux: Linux): void {
  linux.devices?.forEach(({ path, type, major, minor }, index) => {
    const at = `linux.devices[${index}]`
    if (!path.startsWith('/')) fail(`${at}.path`, `${JSON.stringify(path)} is not absolute`, 'write /dev/…')
    if (!['c', 'b', 'u', 'p'].includes(type))
      fail(`${at}.type`, `unknown device type ${JSON.stringify(type)}`, 'use c, b, u or p')
    if (type !== 'p' && (major === undefined || minor === undefined))
      fail(at, 'major and minor are missing', 'add both numbers')
  })
  linux.resources?.devices?.forEach(({ type, access }, index) => {
    const at = `linux.resources.devices[${index}]`
    if (type !== undefined && !['a', 'c', 'b', 'u', ''].includes(type))
      fail(`${at}.type`, `unknown device type ${JSON.stringify(type)}`, 'use a, c or b')
    if (access !== undefined && !/^[rwm]*$/.test(access))
      fail(`${at}.access`, `${JSON.stringify(access)} is no access`, 'use letters of rwm')
  })
}

const sysctlNamespaces: readonly [RegExp, string][] = [
  [
    /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|msg_next_id|sem_next_id|shm_next_id)|fs\.mqueue\..+)$/,
    'ipc',
  ],
  [/^net\..+$/, 'network'],
  [/^kernel\.(domainname|hostname)$/, 'uts'],
  [/^user\..+$/, 'user'],
]

/** A sysctl that belongs to no namespace of the container would change the host (CVE-2022-0811 for the value). */
function checkSysctl(name: string, value: string, namespaces: ReadonlySet<string>): void {
  const path = `linux.sysctl[${JSON.stringify(name)}]`
  const dotted = name.includes('.') ? name : name.replaceAll('/', '.')
  if (dotted.includes('..') || /[\s\0]/.test(name))
    fail(path, 'is no sysctl', 'write a name such as net.core.somaxconn')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not reach procfs
  if (/[\x00-\x08\x0a-\x1f+]/.test(value))
    fail(path, 'the value has a character that sysctls do not take', 'write one line without +')
  const namespace = sysctlNamespaces.find(([pattern]) => pattern.test(dotted))?.[1]
  if (namespace === undefined)
    fail(path, 'is not divided by namespaces: it would change the host', 'set it on the host')
  if (!namespaces.has(namespace))
    fail(path, `needs a ${namespace} namespace`, `add {"type": "${namespace}"} to linux.namespaces`)
}
