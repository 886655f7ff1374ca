import { parseLandlock } from './landlock.ts'
import { memoryPolicyArguments } from './memory-policy.ts'
import { shown } from './shown.ts'
import type { Linux, LinuxResources, Mount, Process, Spec } from './spec.ts'
import { mountsShape, processShape, resourcesShape, specShape } from './spec-shape.ts'
import { checkDevices, checkNetDevices } from './validate/devices.ts'
import { fail } from './validate/fail.ts'
import { checkHooks } from './validate/hooks.ts'
import { checkHiddenPaths, checkMount, checkRoot } from './validate/mounts.ts'
import { checkMappings, checkNames, checkNamespaces, checkTimeOffsets } from './validate/namespaces.ts'
import { checkProcess } from './validate/process.ts'
import { checkCgroupsPath, checkIntelRdt, checkResources } from './validate/resources.ts'
import { checkShape } from './validate/shape.ts'
import { checkSysctl } from './validate/sysctl.ts'

/**
 * config.json, looked through before the kernel is touched: first its shape, then what no shape can say, one file a
 * topic. Each failure is an INVALID_ARGUMENT with the JSON path of the value that is wrong, and a hint that says what
 * to write instead.
 */
export function validateSpec(value: unknown): Spec {
  const spec = checkShape(value, specShape, '') as Spec
  checkVersion(spec.ociVersion)
  if (spec.process) checkProcess(spec.process, 'process')
  checkRoot(spec)
  const namespaces = checkNamespaces(spec.linux)
  checkNames(spec, namespaces)
  spec.mounts?.forEach((mount, index) => {
    checkMount(mount, `mounts[${index}]`, namespaces)
  })
  checkHooks(spec.hooks)
  if (spec.linux) checkLinux(spec.linux, namespaces)
  parseLandlock(spec.annotations)
  return spec
}

/** The same for mounts that are added to a container whose namespaces these are. */
export function validateMounts(value: unknown, namespaces: ReadonlySet<string>): Mount[] {
  const mounts = checkShape(value, mountsShape, 'mounts') as Mount[]
  mounts.forEach((mount, index) => {
    checkMount(mount, `mounts[${index}]`, namespaces)
  })
  return mounts
}

/** The same for the process of an exec. */
export function validateProcess(value: unknown, path = 'process'): Process {
  const process = checkShape(value, processShape, path) as Process
  checkProcess(process, path)
  return process
}

/** The same for the resources of an update. */
export function validateResources(value: unknown, path = 'linux.resources'): LinuxResources {
  const resources = checkShape(value, resourcesShape, path) as LinuxResources
  checkResources(resources, path)
  return resources
}

function checkVersion(version: string): void {
  if (!/^1\.\d+\.\d+([-+].*)?$/.test(version))
    fail('ociVersion', `${shown(version)} is not supported`, 'use a version 1.x.y, such as 1.3.0')
}

function checkLinux(linux: Linux, namespaces: ReadonlySet<string>): void {
  checkMappings(linux, namespaces)
  checkTimeOffsets(linux)
  checkDevices(linux)
  checkNetDevices(linux, namespaces)
  checkCgroupsPath(linux)
  if (linux.resources) checkResources(linux.resources, 'linux.resources')
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) checkSysctl(name, value, namespaces)
  checkHiddenPaths(linux, namespaces)
  checkIntelRdt(linux)
  if (linux.memoryPolicy) memoryPolicyArguments(linux.memoryPolicy)
}
