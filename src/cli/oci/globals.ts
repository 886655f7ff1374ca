import { join } from 'node:path'
import { KeelsonError, type LogLevel } from '../../base/index.ts'
import type { CgroupManager } from '../../oci/index.ts'
import type { Options, OptionValues } from '../command.ts'
import type { LogSettings } from './report.ts'

/** Options before the command's name. */
export const globalOptions = {
  root: {
    type: 'string',
    value: 'DIR',
    help: 'where the state of containers lies; default: /run/keelson-oci',
  },
  log: { type: 'string', value: 'FILE', help: 'append log lines there; default: standard error' },
  'log-format': { type: 'string', value: 'text|json', help: 'default: text' },
  'log-level': { type: 'string', value: 'error|warning|info|debug', help: 'default: warning' },
  debug: { type: 'boolean', help: 'the same as --log-level debug, and a stack trace with a failure' },
  'systemd-cgroup': { type: 'boolean', help: 'the same as --cgroup-manager systemd' },
  'cgroup-manager': {
    type: 'string',
    value: 'cgroupfs|systemd|disabled',
    help: 'who makes the cgroups; default: cgroupfs. disabled: containers stay in the caller’s',
  },
  rootless: {
    type: 'string',
    value: 'true|false|auto',
    help: 'go on without cgroups that may not be made; default: auto, true for ordinary users',
  },
  criu: { type: 'string', value: 'PATH', help: 'the program for checkpoint and restore; default: criu' },
  help: { type: 'boolean', short: 'h', help: 'print this' },
  version: { type: 'boolean', short: 'v', help: 'print the version' },
} as const satisfies Options

export type GlobalGiven = OptionValues<typeof globalOptions>

/** What commands get of them. */
export interface Globals {
  root: string
  debug: boolean
  cgroupManager: CgroupManager
  /** Undefined leaves it to the runtime to see. */
  rootless: boolean | undefined
  criu: string
}

const levels: Readonly<Record<string, LogLevel>> = {
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
}

/** Where to log is needed before anything can be refused, so what is wrong does not fail here. */
export function logSettings(given: GlobalGiven): LogSettings {
  const level = given.debug ? 'debug' : (levels[given['log-level'] ?? ''] ?? 'warn')
  const file = given.log?.replace(/^file:/, '')
  return {
    ...(file === undefined || isLogService(file) ? {} : { file }),
    format: given['log-format'] === 'json' ? 'json' : 'text',
    level,
    trace: given.debug === true,
  }
}

/** All that is wrong with them, and what is right as commands take it. */
export function readGlobals(given: GlobalGiven, env: NodeJS.ProcessEnv, caller: Caller): Globals {
  oneOf('log-format', given['log-format'], ['text', 'json'])
  oneOf('log-level', given['log-level'], Object.keys(levels))
  if (isLogService(given.log ?? ''))
    throw new KeelsonError('UNIMPLEMENTED', `--log ${given.log}: the log goes to files only`, {
      hint: 'give --log FILE',
    })
  const rootless = oneOf('rootless', given.rootless, ['true', 'false', 'auto']) ?? 'auto'
  return {
    root: stateRoot(given, env, caller),
    debug: given.debug === true,
    cgroupManager: cgroupManager(given),
    rootless: rootless === 'auto' ? undefined : rootless === 'true',
    criu: given.criu ?? 'criu',
  }
}

function cgroupManager(given: GlobalGiven): CgroupManager {
  const managers = ['cgroupfs', 'systemd', 'disabled'] as const
  const named = oneOf('cgroup-manager', given['cgroup-manager'], managers)
  return named ?? (given['systemd-cgroup'] ? 'systemd' : 'cgroupfs')
}

/** crun can log to these as well. */
const isLogService = (log: string) => /^(journald|syslog):/.test(log)

function oneOf<Word extends string>(
  name: string,
  value: string | undefined,
  words: readonly Word[],
): Word | undefined {
  if (value === undefined || (words as readonly string[]).includes(value)) return value as Word | undefined
  throw new KeelsonError('INVALID_ARGUMENT', `unknown --${name} ${JSON.stringify(value)}`, {
    hint: `use one of ${words.join(', ')}`,
  })
}

/**
 * Like runc: the runtime directory of the user unless root asks. Rootless podman is root of a user namespace that it
 * made, and no more than an ordinary user for that.
 */
export function stateRoot(given: GlobalGiven, env: NodeJS.ProcessEnv, { euid, isRoot }: Caller): string {
  if (given.root !== undefined) return given.root
  const personal = env['XDG_RUNTIME_DIR']
  const isOrdinary = euid !== 0 || (!isRoot && env['USER'] !== 'root')
  return isOrdinary && personal ? join(personal, 'keelson-oci') : '/run/keelson-oci'
}

/** Who calls; `isRoot`: of the machine, not only of a user namespace. */
export interface Caller {
  euid: number
  isRoot: boolean
}
