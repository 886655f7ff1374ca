import { openSync, writeSync } from 'node:fs'
import {
  asKeelsonError,
  createLogger,
  type KeelsonError,
  type Logger,
  systemClock,
} from '../../base/index.ts'

/**
 * Where log lines go: `--log FILE` (appended), else standard error. Callers such as containerd read the last line
 * with level error of that file, so its `msg` is part of the interface. Everything is written at once with
 * write(2): streams would make the descriptors, which the container shares, non-blocking.
 */
export interface LogSettings {
  file?: string
  format: 'json' | 'text'
  debug: boolean
}

export function openLog({ file, format, debug }: LogSettings): Logger {
  const fd = file === undefined || file === '' ? 2 : openSync(file, 'a', 0o644)
  return createLogger({
    write: (line) => writeAll(fd, line),
    nowMs: () => systemClock.nowMs(),
    level: debug ? 'debug' : 'warn',
    format,
  })
}

/** The one line a person sees: `keelson-oci: <what>: <why> (<what to do>)`. */
export function errorLine(error: KeelsonError, op: string): string {
  const message = error.message.startsWith(`${op}: `) ? error.message.slice(op.length + 2) : error.message
  const why = message.replace(/\s*\n\s*/g, ' ')
  return `${op}: ${why}${error.hint === undefined ? '' : ` (${error.hint})`}`
}

/** Tells the log file and standard error, each once. */
export function reportFailure(cause: unknown, op: string, log: Logger, settings: LogSettings): void {
  const error = asKeelsonError(cause)
  const line = errorLine(error, op)
  const { message: _, ...details } = error.toJSON()
  const toFile = settings.file !== undefined && settings.file !== ''
  if (toFile || settings.format === 'json') log.error(line, details)
  if (toFile || settings.format === 'text') writeAll(2, `keelson-oci: ${line}\n`)
  if (settings.debug && error.stack) writeAll(2, `${error.stack}\n`)
}

/** A reader that has gone away (EPIPE) is no reason to fail. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(fd, bytes, offset)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' || code === 'EBADF') return
      if (code !== 'EAGAIN') throw error
    }
  }
}
