import { setMaxListeners } from 'node:events'
import { realpathSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asKeelsonError, type Clock, createLogger, systemClock } from '../base/index.ts'
import type { Context } from './context.ts'
import type { Entry, Group } from './entry.ts'
import { programHelp } from './help.ts'
import { imageCommands } from './image/commands.ts'
import { runCommand } from './run-command.ts'

/**
 * The composition root's door: finds the command, loads its layer only then, hands it clock, signal and streams,
 * and turns its error into one line and an exit code.
 */
const commands: Record<string, Entry | Group> = {
  up: { summary: 'start a cluster on this machine', load: () => import('./commands/up.ts') },
  down: { summary: 'stop it and undo what it changed', load: () => import('./commands/down.ts') },
  status: { summary: 'what runs, and how it feels', load: () => import('./commands/status.ts') },
  doctor: { summary: 'check this machine', load: () => import('./commands/doctor.ts') },
  server: { summary: 'run a control plane in the foreground', load: () => import('./commands/server.ts') },
  node: { summary: 'run a node in the foreground', load: () => import('./commands/node.ts') },
  cri: { summary: 'run only the CRI endpoint', load: () => import('./commands/cri.ts') },
  image: { summary: 'images of this machine', group: imageCommands },
  version: { summary: 'print the version', load: () => import('./commands/version.ts') },
}

const [name = 'help', ...argv] = process.argv.slice(2)
process.exitCode = await main(name, argv)

async function main(name: string, argv: string[]): Promise<number> {
  if (isHelp(name)) return help('keelson', 'from the system call to kubectl', commands)
  const entry = own(commands, name.replace(/^(--version|-v)$/, 'version'))
  if (!entry) return fail(new Error(`unknown command ${name}`), 'run `keelson help` for the list', 2)
  if (!('group' in entry)) return await run('keelson', entry, argv)
  const [verb = 'help', ...rest] = argv
  const program = `keelson ${name}`
  if (isHelp(verb)) return help(program, entry.summary, entry.group)
  const inGroup = own(entry.group, verb)
  if (inGroup) return await run(program, inGroup, rest)
  return fail(new Error(`unknown command ${name} ${verb}`), `run \`${program} help\` for the list`, 2)
}

function isHelp(word: string): boolean {
  return ['help', '--help', '-h'].includes(word)
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

async function run(program: string, { load }: Entry, words: string[]): Promise<number> {
  try {
    const { default: command } = await load()
    return await runCommand({ program, command, words, interleaved: true, context, print })
  } catch (error) {
    const known = asKeelsonError(error)
    // A failure nobody foresaw is a mistake of ours: whoever reports it needs to say where it came from.
    if (known.code === 'INTERNAL' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return fail(known, known.hint, known.code === 'INVALID_ARGUMENT' ? 2 : 1)
  }
}

function context(): Context {
  const abort = new AbortController()
  setMaxListeners(0, abort.signal) // everything that waits listens to it
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => abort.abort())
  const clock = shiftedClock(Number(process.env['KEELSON_TEST_CLOCK_OFFSET_MS'] ?? 0))
  const here = realpathSync(fileURLToPath(import.meta.url))
  return {
    clock,
    signal: abort.signal,
    print: (line) => void process.stdout.write(`${line}\n`),
    notice: (line) => void process.stderr.write(`${line}\n`),
    logger: (level, format = 'json') =>
      createLogger({ level, format, nowMs: clock.nowMs, write: (line) => void writeSync(2, line) }),
    notifySocket: process.env['NOTIFY_SOCKET'],
    faultFile: process.env['KEELSON_TEST_FAULT_FILE'],
    isRoot: process.getuid?.() === 0,
    terminal: process.stderr.isTTY
      ? {
          columns: () => process.stderr.columns ?? 80,
          write: (text) => void process.stderr.write(text),
        }
      : undefined,
    environment: process.env,
    input: process.stdin,
    output: process.stdout,
    launcher: join(findRoot(dirname(here)), 'bin/keelson'),
  }
}

/** For tests: another time of day; durations are what they are. */
function shiftedClock(offsetMs: number): Clock {
  return offsetMs === 0 ? systemClock : { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs }
}

/** This file runs from src/cli and, bundled, from dist/cli. */
function findRoot(folder: string): string {
  return join(folder, '../..')
}

function help(
  program: string,
  summary: string,
  entries: Readonly<Record<string, { summary: string }>>,
): number {
  const rows = Object.entries(entries).map(([name, { summary }]) => ({ name, summary }))
  print(programHelp({ program, summary, commands: rows }))
  return 0
}

function print(text: string): void {
  process.stdout.write(text)
}

function fail(error: Error, hint: string | undefined, exitCode: number): number {
  process.stderr.write(`keelson: ${error.message}${hint ? `\n  ${hint}` : ''}\n`)
  return exitCode
}
