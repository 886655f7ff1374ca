/**
 * keelson-oci: the runc command line over src/oci. It loads nothing of the layers above, and each command only when
 * it is typed. A failure is one line on standard error and exit code 1; nothing is left behind.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KeelsonError, systemClock } from '../../base/index.ts'
import { ociVersion } from '../../oci/default-spec.ts'
import { isFirstUserNamespace } from '../../oci/privileges.ts'
import type { Command } from '../command.ts'
import { commandHelp, programHelp } from '../help.ts'
import { parseOptions } from '../parse.ts'
import { runCommand } from '../run-command.ts'
import { commit, version } from '../version.ts'
import { callerOf } from './caller.ts'
import { commands } from './commands.ts'
import type { Context } from './context.ts'
import {
  type Caller,
  type GlobalGiven,
  type Globals,
  globalOptions,
  logSettings,
  readGlobals,
} from './globals.ts'
import { type LogSettings, openLog, reportFailure, writeAll } from './report.ts'

const program = 'keelson-oci'
/** Three lines, as runc's callers read them. */
const versionText = `${program} version ${version}\ncommit: ${commit}\nspec: ${ociVersion}\n`
/** As runc's. */
const unknownCommand = 3
const out = (text: string) => writeAll(1, text)

export async function main(words: readonly string[]): Promise<number> {
  let settings: LogSettings = { format: 'text', level: 'warn', trace: false }
  let op = 'start'
  let failureCode = 1
  try {
    const parsed = parseOptions(words, globalOptions)
    const given = parsed.given as GlobalGiven
    settings = logSettings(given)
    const [name, ...others] = parsed.rest
    if (given.version) return print(versionText)
    if (given.help || name === undefined || name === 'help') return print(await helpFor(others[0]))
    op = name
    failureCode = unknownCommand
    const command = await load(name)
    failureCode = command.failureCode ?? 1
    const globals = readGlobals(given, process.env, caller())
    const context = () => makeContext(globals, settings)
    return await runCommand({ program, command, words: others, context, print: out })
  } catch (error) {
    reportFailure(error, op, usable(settings))
    return failureCode
  }
}

function caller(): Caller {
  const euid = process.geteuid?.() ?? 0
  return { euid, isRoot: euid === 0 && isFirstUserNamespace(readFileSync('/proc/self/uid_map', 'utf8')) }
}

function makeContext(globals: Globals, settings: LogSettings): Context {
  const log = openLog(settings)
  const { root: stateRoot, cgroupManager, rootless } = globals
  const caller = callerOf(process.env)
  const runtimeOptions = {
    env: process.env,
    stateRoot,
    cgroupManager,
    ...(rootless === undefined ? {} : { rootless }),
    instance: '',
    clock: systemClock,
    log,
    filtersDirectory: join(stateRoot, '@filters'), // no container's name
    ...(caller ? { callerNofileSoft: caller.nofileSoft } : {}),
  }
  return {
    globals,
    out,
    log,
    clock: systemClock,
    runtimeOptions,
    runtime: async () => {
      const { createRuntime } = await import('../../oci/index.ts')
      return createRuntime(runtimeOptions)
    },
  }
}

/** A log file that cannot be opened must not hide what went wrong. */
function usable(settings: LogSettings): LogSettings {
  try {
    openLog(settings)
    return settings
  } catch {
    const { file: _, ...others } = settings
    return others
  }
}

async function load(name: string): Promise<Command<Context>> {
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (found) return (await found()).default
  throw new KeelsonError('INVALID_ARGUMENT', 'there is no such command', {
    hint: `use one of ${Object.keys(commands).join(', ')}`,
  })
}

async function helpFor(name: string | undefined): Promise<string> {
  if (name !== undefined) return commandHelp(program, await load(name))
  const all = await Promise.all(Object.keys(commands).map(load))
  const summary = 'runs containers from OCI bundles'
  return programHelp({ program, summary, commands: all, globals: globalOptions })
}

function print(text: string): number {
  out(text)
  return 0
}
