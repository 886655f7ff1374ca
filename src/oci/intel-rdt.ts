import { rmdir } from 'node:fs/promises'
import { posix } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../base/index.ts'
import type { HostFacts, Resctrl } from './host-facts.ts'
import { noFd, type Operation } from './plan/operations.ts'
import { shown } from './shown.ts'
import type { IntelRdt } from './spec.ts'

/** Where a container is in the resctrl file system, for its execs and its end. */
export interface RdtPlace {
  /** Directories whose `tasks` take its processes, outermost first. */
  groups: string[]
  /** Those that were made for it alone, innermost first: they go when it goes. */
  owned: string[]
}

export interface CompiledRdt extends RdtPlace {
  /** Before the clone. */
  make: Operation[]
}

/**
 * `linux.intelRdt` (config-linux.md, IntelRdt): a class of service is a directory of resctrl, its limits are lines of
 * `schemata`, its members are in `tasks`. INVALID_ARGUMENT and FAILED_PRECONDITION with the JSON path, before
 * anything is touched.
 */
export function compileRdt(rdt: IntelRdt | undefined, id: string, host: HostFacts): CompiledRdt | undefined {
  if (!rdt) return undefined
  const { closID, enableMonitoring } = rdt
  const resctrl = requireResctrl(host)
  checkClosId(closID)
  const lines = schemaLines(rdt)
  for (const line of lines) checkResource(line, resctrl)
  const name = closID ?? id
  const existing = resctrl.schemata(name)
  checkExisting(closID, lines, existing)
  const group = posix.join(resctrl.mountPoint, name)
  const monitor = enableMonitoring ? monitorGroup(group, id, resctrl) : undefined
  return {
    make: [
      ...directory(group),
      ...lines.map(({ text }): Operation => write(posix.join(group, 'schemata'), text)),
      ...(monitor === undefined ? [] : directory(monitor)),
    ],
    groups: [group, ...(monitor === undefined ? [] : [monitor])],
    // A class that somebody named is somebody's: others may be in it.
    owned: [...(monitor === undefined ? [] : [monitor]), ...(closID === undefined ? [group] : [])],
  }
}

/** The process that was cloned last becomes a member. `slots`: of the open files, where their paths are out of reach. */
export function enrolChild({ groups }: Pick<RdtPlace, 'groups'>, slots: readonly number[] = []): Operation[] {
  return groups.map((group, index) => ({
    op: 'enrolChild',
    tasks: slots[index] ?? noFd,
    path: tasksOf(group),
  }))
}

export function tasksOf(group: string): string {
  return posix.join(group, 'tasks')
}

/** Whoever is still in one falls back to the class around it. */
export async function removeRdt(place: Pick<RdtPlace, 'owned'> | undefined): Promise<void> {
  for (const directory of place?.owned ?? [])
    try {
      await rmdir(directory)
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw asKeelsonError(error, { op: 'delete', path: directory })
    }
}

function requireResctrl({ resctrl }: HostFacts): Resctrl {
  if (resctrl) return resctrl
  throw precondition(
    'linux.intelRdt',
    'Intel RDT is asked for, but no resctrl file system is mounted',
    'mount one, or leave it out',
  )
}

/** `/` is the class that everything is in by default. */
function checkClosId(closID: string | undefined): void {
  if (closID === undefined || closID === '/') return
  if (
    closID === '' ||
    closID === '.' ||
    closID === '..' ||
    /[/\n]/.test(closID) ||
    closID === 'info' ||
    /^mon_/.test(closID)
  )
    throw invalid(
      'linux.intelRdt.closID',
      `${shown(closID)} names no class of service`,
      'use a plain file name',
    )
}

interface SchemaLine {
  text: string
  at: string
}

function schemaLines({ schemata = [], l3CacheSchema = '', memBwSchema = '' }: IntelRdt): SchemaLine[] {
  const at = 'linux.intelRdt'
  const given: [text: string, at: string][] = [
    [l3CacheSchema, `${at}.l3CacheSchema`],
    [memBwSchema, `${at}.memBwSchema`],
    ...schemata.map((text, index): [string, string] => [text, `${at}.schemata[${index}]`]),
  ]
  return given.flatMap(([text, place]) =>
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => ({ text: line.trim(), at: place })),
  )
}

const resourceOf = (line: string) => line.slice(0, line.indexOf(':')).trim()

function checkResource({ text, at }: SchemaLine, { resources }: Resctrl): void {
  const resource = resourceOf(text)
  if (!/^[A-Z0-9]+\s*:\s*\S/.test(text))
    throw invalid(at, `${shown(text)} is no line of schemata`, 'write RESOURCE:ID=VALUE;…')
  if (at.endsWith('.memBwSchema') && resource !== 'MB')
    throw invalid(at, `${shown(resource)} is not memory bandwidth`, 'write MB:…')
  if (!resources.includes(resource))
    throw precondition(at, `this processor has no ${resource}`, `use some of ${resources.join(', ')}`)
}

/** A class that is there already keeps its limits, so they have to be the ones that are asked for. */
function checkExisting(closID: string | undefined, lines: SchemaLine[], existing: string | undefined): void {
  if (closID === undefined) return
  if (existing === undefined) {
    if (lines.length > 0) return
    throw precondition(
      'linux.intelRdt.closID',
      `class of service ${shown(closID)} does not exist`,
      'make it first, or give its schemata',
    )
  }
  const known = new Map(existing.split('\n').map((line) => [resourceOf(line), settings(line)]))
  for (const { text, at } of lines)
    for (const [id, value] of Object.entries(settings(text)))
      if (known.get(resourceOf(text))?.[id] !== value)
        throw precondition(
          at,
          `class ${shown(closID)} exists with other limits`,
          'name another, or its limits',
        )
}

/** `L3:0=fff0;1=f` → `{ 0: 'fff0', 1: 'f' }`, without leading zeros. */
function settings(line: string): Record<string, string> {
  const pairs = line.slice(line.indexOf(':') + 1).split(';')
  return Object.fromEntries(
    pairs
      .map((pair) => pair.split('=').map((part) => part.trim()))
      .map(([id = '', value = '']) => [id, value.toLowerCase().replace(/^0+(?=.)/, '')]),
  )
}

function monitorGroup(group: string, id: string, { resources }: Resctrl): string {
  if (resources.some((name) => name.endsWith('_MON'))) return posix.join(group, 'mon_groups', id)
  throw precondition('linux.intelRdt.enableMonitoring', 'this processor monitors nothing', 'leave it out')
}

function directory(path: string): Operation[] {
  return [{ op: 'makeDirectory', path, mode: 0o755 }]
}

function write(path: string, line: string): Operation {
  return { op: 'writeFile', path, data: Buffer.from(`${line}\n`), flags: 0 }
}

function invalid(path: string, message: string, hint: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}

function precondition(path: string, message: string, hint: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', `${path}: ${message}`, { path, hint })
}
