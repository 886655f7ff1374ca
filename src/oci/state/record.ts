import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asKeelsonError, encodeExactJson, hasErrno, KeelsonError, parseExactJson } from '../../base/index.ts'
import { readFiles } from '../../kernel/index.ts'
import type { SystemdUnit } from '../cgroup/systemd/unit.ts'
import type { Exit, Status } from '../runtime.ts'
import { fixedProfileText } from '../seccomp/cache.ts'
import type { LinuxResources, Spec } from '../spec.ts'

/**
 * What is on disk about a container, in `<state root>/<id>/`:
 *
 *     lock          flock'ed by every command that changes the container
 *     state.json    what was decided at create; written before the first cgroup is made, and never again
 *     verbs.plan    what start, state, kill and delete do to it, for the native front (compile/verbs.ts)
 *     config.json   the specification it was made from
 *     pid           `<pid> <start time in ticks>`, written by keelson-init itself
 *     created       it may be started (empty)
 *     started       its program runs since then: nanoseconds since the epoch
 *     paused        it is frozen (empty; comes and goes)
 *     limits.json   its resources since the last update; before that those of config.json hold
 *     poststart     the plan of the hooks after the start, where it has any (keelson-init carries it out)
 *     poststop      the same of those after the deletion
 *     root/         where the container's root is attached in its mount namespace, where it must not be on notify/
 *     notify/       the socket by which it tells that it is ready, where that was asked for
 *     mounts.json   destinations of mounts that were added while it ran
 *     exit.json     how it ended, written by the monitor
 *     start.sock    where the first process waits for the start
 *     monitor.sock  where the monitor listens
 *
 * The status is not stored: it follows from which of these are there, and from the process. So each change is one
 * file that appears, and whoever makes it (keelson-init, the native front, a command) needs to read no other.
 *
 * All of it is a few kilobytes on a file system in memory (/run), so it is read and written in place: a trip through
 * the thread pool would cost ten times the call, several times per start.
 */
export const recordFiles = {
  lock: 'lock',
  mounts: 'mounts.json',
  state: 'state.json',
  verbs: 'verbs.plan',
  config: 'config.json',
  pid: 'pid',
  created: 'created',
  started: 'started',
  paused: 'paused',
  limits: 'limits.json',
  poststart: 'poststart',
  poststop: 'poststop',
  notify: 'notify',
  root: 'root',
  exit: 'exit.json',
  startSocket: 'start.sock',
  monitorSocket: 'monitor.sock',
} as const

/** There while a container is made from a checkpoint. */
export const restoreFiles = { root: 'criu-root', pid: 'criu.pid', mount: 'criu-mount-' } as const

export const recordVersion = 2
/** Of exit.json, which native/init/exit.c writes too. */
const exitVersion = 1

/** What `state.json` holds. */
export interface DecidedRecord {
  version: typeof recordVersion
  id: string
  ociVersion: string
  life: 'monitored' | 'detached' | 'foreground'
  bundle: string
  /** Absent for an overlay. */
  rootfs?: string
  annotations: Record<string, string>
  /** Decimal nanoseconds since the epoch. */
  createdAtNs: string
  bootId: string
  cgroup?: {
    path: string
    leaves: string[]
    /** Those of them that have a freezer. */
    freezers: string[]
    tasksFiles: string[]
    v2Directory?: string
    systemd?: SystemdUnit
  }
  namespaces: { pid: boolean; cgroup: boolean }
  /** It has a socket to tell that it is ready. */
  notify?: true
  /** Directories of resctrl. */
  rdt?: { groups: string[]; owned: string[] }
  /** It runs in its caller's session keyring, and so do its execs. */
  keepsKeyring?: true
}

/** With what became of it since, as far as files tell. */
export interface ContainerRecord extends DecidedRecord {
  /** The last status that was recorded; that it is `stopped` only its process or its exit can tell. */
  status: Exclude<Status, 'stopped'>
  process?: ProcessIdentity
  /** Decimal nanoseconds since the epoch. */
  startedAtNs?: string
}

/** With the boot id, names one process for ever. */
export interface ProcessIdentity {
  pid: number
  /** Field 22 of /proc/<pid>/stat, decimal. */
  startTicks: string
}

/** What files tell about a container, read at one moment. */
export interface Facts {
  record: ContainerRecord
  exit?: Exit
}

const factFiles = [
  recordFiles.state,
  recordFiles.pid,
  recordFiles.created,
  recordFiles.started,
  recordFiles.paused,
  recordFiles.exit,
]

/** Undefined when there is no such container; DATA_LOSS for a file of another version or shape. */
export function readFacts(directory: string): Facts | undefined {
  const [state, pid, created, started, paused, exit] = readFiles(directory, factFiles) ?? []
  if (state === undefined) return undefined
  const decided = parseRecord(state, directory)
  const process = parseProcess(pid)
  const begun = started === undefined ? 'created' : 'running'
  const record: ContainerRecord = {
    ...decided,
    status: created === undefined ? 'creating' : paused === undefined ? begun : 'paused',
    ...(process ? { process } : {}),
    ...(started === undefined ? {} : { startedAtNs: started.trim() }),
  }
  return { record, ...(exit === undefined ? {} : { exit: parseExit(exit) }) }
}

function parseRecord(text: string, directory: string): DecidedRecord {
  const decided = parseObject(text)
  if (decided?.version === recordVersion) return decided as DecidedRecord
  const path = join(directory, recordFiles.state)
  const what = decided ? `is of version ${decided.version}` : 'is not JSON'
  throw new KeelsonError('DATA_LOSS', `${path} ${what}: it cannot be read`, {
    path,
    hint: decided
      ? 'delete the container with the keelson version that made it'
      : `end its processes and remove ${directory}`,
  })
}

function parseObject(text: string): Partial<DecidedRecord> | undefined {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}

/** The same without its exit. */
export function readRecord(directory: string): ContainerRecord | undefined {
  return readFacts(directory)?.record
}

export function encodeRecord(record: DecidedRecord): string {
  return `${JSON.stringify(record)}\n`
}

/** Everything of it is made and it may be started. Under the lock, as the changes below. */
export function markCreated(directory: string): void {
  touch(join(directory, recordFiles.created))
}

export function markStarted(directory: string, startedAtNs: bigint): void {
  prepareStarted(directory, startedAtNs).commit()
}

/** In two steps, since a full disk has to be told before the program runs. */
export function prepareStarted(directory: string, startedAtNs: bigint): Prepared {
  return prepare(join(directory, recordFiles.started), `${startedAtNs}\n`)
}

export function markPaused(directory: string, paused: boolean): void {
  const path = join(directory, recordFiles.paused)
  if (paused) touch(path)
  else rmSync(path, { force: true })
}

/** A profile is most of a configuration, and the same for many. */
export function encodeConfig(spec: Spec): string {
  const seccomp = spec.linux?.seccomp && fixedProfileText(spec.linux.seccomp)
  if (!seccomp) return encodeExactJson(spec)
  const rest = encodeExactJson({ ...spec, linux: { ...spec.linux, seccomp: placeOfProfile } })
  const pieces = rest.split(JSON.stringify(placeOfProfile))
  return pieces.length === 2 ? pieces.join(seccomp) : encodeExactJson(spec)
}

/** NUL is refused in the strings of a specification; where somebody has this one all the same, nothing is saved. */
const placeOfProfile = '\0seccomp'

export function readConfig(directory: string): Spec {
  return parseExactJson(readFileSync(join(directory, recordFiles.config), 'utf8')) as Spec
}

/** What holds now: as configured, or as the last update left it. */
export function readLimits(directory: string): LinuxResources {
  const updated = readOptional(join(directory, recordFiles.limits))
  return updated === undefined ? (readConfig(directory).linux?.resources ?? {}) : JSON.parse(updated)
}

/** What keelson-init writes itself, for a container that somebody else began. */
export function writeProcess(directory: string, { pid, startTicks }: ProcessIdentity): void {
  replace(join(directory, recordFiles.pid), `${pid} ${startTicks}\n`)
}

/** The files that a create begins with, by name. */
export function writeRecords(
  directory: string,
  records: Readonly<Record<string, string | Uint8Array>>,
): void {
  for (const [name, data] of Object.entries(records)) replace(join(directory, name), data)
}

/** In two steps, since a full disk has to be told before a limit is changed. */
export function prepareLimits(directory: string, limits: LinuxResources): Prepared {
  return prepare(join(directory, recordFiles.limits), `${JSON.stringify(limits)}\n`)
}

/** An encoded plan; undefined where the container has no such hooks. */
export function readRecordedPlan(directory: string, stage: 'poststart' | 'poststop'): Buffer | undefined {
  const path = join(directory, recordFiles[stage])
  return existsSync(path) ? readFileSync(path) : undefined
}

/** What keelson-init wrote; undefined before it got that far. */
function parseProcess(text = ''): ProcessIdentity | undefined {
  const [pid, startTicks] = text.trim().split(' ')
  return pid && startTicks ? { pid: Number(pid), startTicks } : undefined
}

/** Oldest first. */
export function readAddedMounts(directory: string): string[] {
  return JSON.parse(readOptional(join(directory, recordFiles.mounts)) ?? '[]')
}

export function writeAddedMounts(directory: string, destinations: readonly string[]): void {
  replace(join(directory, recordFiles.mounts), `${JSON.stringify(destinations)}\n`)
}

export function readExit(directory: string): Exit | undefined {
  const text = readOptional(join(directory, recordFiles.exit))
  return text === undefined ? undefined : parseExit(text)
}

function parseExit(text: string): Exit {
  const { exitCode, signal, oomKills, finishedAtNs, reason } = JSON.parse(text)
  return {
    exitCode,
    ...(signal > 0 ? { signal } : {}),
    oomKilled: oomKills > 0,
    finishedAtNs: BigInt(finishedAtNs),
    ...(reason === undefined ? {} : { reason }),
  }
}

/** For exits that no monitor recorded. */
export function writeExit(directory: string, exit: Exit): void {
  const { exitCode, signal = 0, oomKilled, finishedAtNs, reason } = exit
  const record = {
    version: exitVersion,
    exitCode,
    signal,
    oomKills: oomKilled ? 1 : 0,
    finishedAtNs: String(finishedAtNs),
    ...(reason === undefined ? {} : { reason }),
  }
  replace(join(directory, recordFiles.exit), `${JSON.stringify(record)}\n`)
}

function touch(path: string): void {
  closeSync(openSync(path, 'w', 0o600))
}

/** By rename: readers see the old or the new. No flush, since a reboot empties the state root. Under the lock. */
function replace(path: string, text: string | Uint8Array): void {
  prepare(path, text).commit()
}

export interface Prepared {
  commit(): void
}

function prepare(path: string, text: string | Uint8Array): Prepared {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
  } catch (error) {
    throw asKeelsonError(error, { path })
  }
  return { commit: () => renameSync(`${path}.new`, path) }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
