import { access, constants, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { asKeelsonError, type Clock, KeelsonError } from '../../base/index.ts'
import { isObject, Members } from './json.ts'
import { failureOf, invalidAnswer } from './plugin-failure.ts'
import { type ProgramEnd, runProgram } from './run-program.ts'
import { newestVersion } from './version.ts'

export type PluginCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION'

/** What a call is about; all absent for GC, STATUS and VERSION. CNI specification, section 2. */
export interface PluginSubject {
  containerId: string
  /** Empty once the namespace is gone. */
  namespacePath: string
  ifName: string
  args: Readonly<Record<string, string>>
}

export interface PluginCall {
  type: string
  command: PluginCommand
  config: unknown
  subject?: PluginSubject | undefined
  signal?: AbortSignal | undefined
}

export interface PluginHostOptions {
  /** Where plugins are looked for, in this order. */
  binDirs: readonly string[]
  /** After so long a plugin is killed. */
  timeoutMs: number
  /** Ours; plugins find in theirs what `isForPlugins` names of it, besides CNI_…. */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
}

const outputBytesMax = 1 << 20
/** What a plugin only has to look up, or what pods that are to be set up would wait for. */
const isShort: ReadonlySet<PluginCommand> = new Set(['GC', 'STATUS', 'VERSION'])
const shortTimeoutMs = 10_000
/**
 * What a program needs to find others (iptables), its files, its language and its way out. Nothing else: ours may hold
 * keys for registries and their credential helpers, the sockets of a service manager, and settings of Node.
 */
const isForPlugins = /^(PATH|HOME|TMPDIR|TZ|LANG|LC_[A-Z]+|(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY)$/

/** Calls plugins: finds the program, runs it, and makes an answer or one clear error of how it ended. */
export class PluginHost {
  readonly #options: PluginHostOptions
  readonly #versions = new Map<string, { identity: string; versions: readonly string[] }>()

  constructor(options: PluginHostOptions) {
    this.#options = options
  }

  /** The parsed answer; undefined where there is none, as after DEL. */
  async call({ type, command, config, subject, signal }: PluginCall): Promise<unknown> {
    const path = await this.find(type)
    const timeoutMs = Math.min(this.#options.timeoutMs, isShort.has(command) ? shortTimeoutMs : Infinity)
    const env = { ...this.#environment(), CNI_COMMAND: command, ...subjectEnvironment(subject) }
    const input = JSON.stringify(config)
    const end = await runProgram({
      path,
      input,
      env,
      timeoutMs,
      outputBytesMax,
      clock: this.#options.clock,
      signal,
    }).catch((cause) => {
      const { message } = asKeelsonError(cause)
      throw new KeelsonError('INTERNAL', `CNI plugin "${type}" cannot be started: ${message}`, {
        path,
        cause,
      })
    })
    const failure = failureOf(end, { type, command, timeoutMs, outputBytesMax })
    if (failure) throw failure
    return parseAnswer(end, type, command)
  }

  /** The versions that a plugin says it speaks. It is asked once, as long as its file stays the same. */
  async versions(type: string): Promise<readonly string[]> {
    const path = await this.find(type)
    const { mtimeMs, size, ino } = await stat(path)
    const identity = [path, mtimeMs, size, ino].join(' ')
    const known = this.#versions.get(type)
    if (known?.identity === identity) return known.versions
    const answer = await this.call({ type, command: 'VERSION', config: { cniVersion: newestVersion } })
    const versions = new Members(answer, `CNI plugin "${type}": VERSION`).texts('supportedVersions')
    this.#versions.set(type, { identity, versions })
    return versions
  }

  /** Its path. FAILED_PRECONDITION when no folder has such a program. */
  async find(type: string): Promise<string> {
    for (const folder of this.#options.binDirs) {
      const path = join(folder, type)
      if (await isProgram(path)) return path
    }
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `CNI plugin "${type}" is not in ${this.#options.binDirs.join(' nor ')}`,
      { op: 'find CNI plugin', hint: 'install it, or name the folder where it is in cni.binDirs' },
    )
  }

  #environment(): Record<string, string> {
    const { env, binDirs } = this.#options
    const inherited = Object.entries(env).filter(
      (pair): pair is [string, string] => pair[1] !== undefined && isForPlugins.test(pair[0]),
    )
    return { ...Object.fromEntries(inherited), CNI_PATH: binDirs.join(delimiter) }
  }
}

function subjectEnvironment(subject: PluginSubject | undefined): Record<string, string> {
  if (!subject) return {}
  const { containerId, namespacePath, ifName, args } = subject
  const words = Object.entries(args).map(([name, value]) => `${name}=${value}`)
  return {
    CNI_CONTAINERID: containerId,
    CNI_NETNS: namespacePath,
    CNI_IFNAME: ifName,
    CNI_ARGS: words.join(';'),
  }
}

function parseAnswer({ stdout }: ProgramEnd, type: string, command: PluginCommand): unknown {
  if (command !== 'ADD' && command !== 'VERSION') return undefined
  try {
    const answer: unknown = JSON.parse(stdout)
    if (isObject(answer)) return answer
  } catch {
    // told below, with what it said
  }
  throw invalidAnswer(type, command, stdout)
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
