import { shown } from '../shown.ts'
import type { Linux, LinuxResources } from '../spec.ts'
import { fail } from './fail.ts'

/** config-linux.md, "Control groups": what becomes a file name or a line of a file, and what can never be right. */
export function checkResources(resources: LinuxResources, path: string): void {
  const { memory, cpu, network, unified = {}, rdma = {} } = resources
  const { limit = -1, swap = -1 } = memory ?? {}
  if (limit > 0 && swap > 0 && swap < limit)
    fail(`${path}.memory.swap`, `${swap} is less than memory.limit`, 'it counts memory and swap together')
  for (const name of ['cpus', 'mems'] as const)
    if (cpu?.[name] !== undefined && !/^[\d,\s-]*$/.test(cpu[name]))
      fail(`${path}.cpu.${name}`, `${shown(cpu[name])} is no list`, 'write it like 0-3,7')
  network?.priorities?.forEach(({ name }, index) => {
    if (!/^[^/\s]{1,15}$/.test(name))
      fail(`${path}.network.priorities[${index}].name`, `${shown(name)} is no interface`, 'write its name')
  })
  for (const device of Object.keys(rdma))
    if (/[\s/]/.test(device)) fail(`${path}.rdma[${shown(device)}]`, 'is no device', 'write its name')
  for (const file of Object.keys(unified))
    if (!/^[\w.-]+$/.test(file) || /^\.*$/.test(file))
      fail(`${path}.unified[${shown(file)}]`, 'is no cgroup file', 'write a file name such as memory.high')
}

/** A path that climbs would put the container where it can harm its host. */
export function checkCgroupsPath({ cgroupsPath: path }: Linux): void {
  if (path === undefined || path === '') return
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not become file names
  if (names.length === 0 || names.includes('..') || /[\x00-\x1f\x7f]/.test(path))
    fail('linux.cgroupsPath', `${shown(path)} is not usable`, 'give a path below the root, without `..`')
  const long = names.find((name) => Buffer.byteLength(name) > 255)
  if (long !== undefined)
    fail('linux.cgroupsPath', `${shown(long)} is too long`, 'use names of at most 255 bytes')
}

/** config-linux.md, "IntelRdt": the identifier becomes a directory, the schemata lines of a file. */
export function checkIntelRdt({ intelRdt }: Linux): void {
  const { closID, schemata = [], l3CacheSchema, memBwSchema } = intelRdt ?? {}
  if (closID !== undefined && closID !== '/' && (/[/\n]/.test(closID) || closID === '.' || closID === '..'))
    fail('linux.intelRdt.closID', `${shown(closID)} is no directory`, 'write a name without /')
  for (const [name, line] of Object.entries({ l3CacheSchema, memBwSchema }))
    if (line?.trim().includes('\n')) fail(`linux.intelRdt.${name}`, 'has more than one line', 'use schemata')
  schemata.forEach((line, index) => {
    if (line.includes('\n')) fail(`linux.intelRdt.schemata[${index}]`, 'has more than one line', 'split it')
  })
}
