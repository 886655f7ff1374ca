/**
 * keelson-oci: the runc command line over src/oci. It loads nothing of the layers above, and each command only when
 * it is typed. A failure is one line on standard error and exit code 1; nothing is left behind.
 */
import { KeelsonError, systemClock } from '../base/index.ts'
import { ociVersion } from '../oci/default-spec.ts'
import type { Command } from './command.ts'
import { commandHelp, programHelp } from './help.ts'
import { commands } from './oci/commands.ts'
import type { Context } from './oci/context.ts'
import { checkGlobals, type GlobalGiven, globalOptions, logSettings, stateRoot } from './oci/globals.ts'
import { type LogSettings, openLog, reportFailure, writeAll } from './oci/report.ts'
import { parseOptions } from './parse.ts'
import { runCommand } from './run-command.ts'
import { commit, version } from './version.ts'

const program = 'keelson-oci'
/** Three lines, as runc's callers read them. */
const versionText = `${program} version ${version}\ncommit: ${commit}\nspec: ${ociVersion}\n`
const out = (text: string) => writeAll(1, text)

async function main(words: readonly string[]): Promise<number> {
  let settings: LogSettings = { format: 'text', debug: false }
  let op = 'start'
  let failureCode = 1
  try {
    const { given, rest } = parseOptions(words, globalOptions)
    settings = logSettings(given as GlobalGiven)
    const [name, ...others] = rest
    if (given['version']) return print(versionText)
    if (given['help'] || name === undefined || name === 'help') return print(await helpFor(others[0]))
    op = name
    checkGlobals(given as GlobalGiven)
    const command = await load(name)
    failureCode = command.failureCode ?? 1
    const context = () => makeContext(given as GlobalGiven, settings)
    return await runCommand({ program, command, words: others, context, print: out })
  } catch (error) {
    reportFailure(error, op, safeLog(settings), settings)
    return failureCode
  }
}

function makeContext(given: GlobalGiven, settings: LogSettings): Context {
  const root = stateRoot(given, process.env, process.geteuid?.() ?? 0)
  const log = openLog(settings)
  return {
    globals: { root, debug: settings.debug },
    out,
    log,
    clock: systemClock,
    runtime: async () => {
      const { createRuntime } = await import('../oci/index.ts')
      return createRuntime({ stateRoot: root, instance: '', clock: systemClock, log })
    },
  }
}

/** A log file that cannot be opened must not hide what went wrong. */
function safeLog(settings: LogSettings) {
  try {
    return openLog(settings)
  } catch {
    const { file: _, ...others } = settings
    return openLog(others)
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

// Nothing that is still open (a pipe, a timer) may keep the caller waiting.
void main(process.argv.slice(2)).then((code) => process.exit(code))
