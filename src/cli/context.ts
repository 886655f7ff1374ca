import type { Readable, Writable } from 'node:stream'
import type { Clock, Logger, LoggerOptions, LogLevel } from '../base/index.ts'
import { commandsWith } from './command.ts'

export interface Terminal {
  columns(): number
  write(text: string): void
}

/** What the edge hands to every command: the only place where process globals come from. */
export interface Context {
  clock: Clock
  /** Aborted by SIGINT and SIGTERM. */
  signal: AbortSignal
  /** What a person reads. */
  print(line: string): void
  /** Progress and notices: to standard error, so that output can be piped. */
  notice(line: string): void
  /** A logger of its own for a long-running command, on standard error. */
  logger(level: LogLevel, format?: LoggerOptions['format']): Logger
  /** Socket of the service manager that started us (sd_notify(3)); undefined: nobody waits to hear. */
  notifySocket: string | undefined
  /** For tests of restarts: see fault-point.ts. */
  faultFile: string | undefined
  isRoot: boolean
  /** Standard error where a person looks at it: a place for progress bars. */
  terminal: Terminal | undefined
  /** For credential files and their programs. */
  environment: Readonly<Record<string, string | undefined>>
  /** For the bytes of archives. */
  input: Readable & { isTTY?: boolean }
  output: Writable & { isTTY?: boolean }
  /** Path of the launcher, to start further processes of ours. */
  launcher: string
}

export const command = commandsWith<Context>()
