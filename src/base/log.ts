/**
 * Structured log lines. A logger is handed in from the CLI edge; `child` adds bindings that every line below
 * carries. One line is one write: JSON `{"time","level","msg",…}` or a readable text form of the same fields.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, unknown>

export interface Logger {
  debug(msg: string, fields?: LogFields): void
  info(msg: string, fields?: LogFields): void
  warn(msg: string, fields?: LogFields): void
  error(msg: string, fields?: LogFields): void
  child(bindings: LogFields): Logger
}

export interface LoggerOptions {
  write: (line: string) => void
  nowMs: () => number
  level?: LogLevel
  format?: 'json' | 'text'
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export function createLogger(options: LoggerOptions, bindings: LogFields = {}): Logger {
  const threshold = levels.indexOf(options.level ?? 'info')
  const format = options.format === 'text' ? textLine : jsonLine
  const at = (level: LogLevel) => (msg: string, fields?: LogFields) => {
    if (levels.indexOf(level) < threshold) return
    options.write(format(new Date(options.nowMs()).toISOString(), level, msg, { ...bindings, ...fields }))
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => createLogger(options, { ...bindings, ...more }),
  }
}

/** Drops everything: for tests and for libraries used without a logger. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}

function jsonLine(time: string, level: LogLevel, msg: string, fields: LogFields): string {
  return `${JSON.stringify({ time, level, msg, ...fields }, errorsAsText)}\n`
}

function textLine(time: string, level: LogLevel, msg: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined) // as JSON leaves them out
    .map(([key, value]) => ` ${key}=${JSON.stringify(value, errorsAsText)}`)
  return `${time} ${level.padEnd(5)} ${msg}${pairs.join('')}\n`
}

function errorsAsText(_key: string, value: unknown): unknown {
  if (value instanceof Error) return 'toJSON' in value ? value : value.message
  return typeof value === 'bigint' ? value.toString() : value
}
