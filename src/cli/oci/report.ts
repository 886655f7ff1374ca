import { openSync, writeSync } from 'node:fs'
import {
  asKeelsonError,
  createLogger,
  type KeelsonError,
  type Logger,
  type LogLevel,
  SyscallError,
  systemClock,
} from '../../base/index.ts'
import { errnoReason } from '../../oci/errno-reason.ts'

/**
 * Where log lines go: `--log FILE` (appended), else standard error. Callers such as containerd read the last line
 * with level error of that file, so its `msg` is part of the interface. Everything is written at once with
 * write(2): streams would make the descriptors, which the container shares, non-blocking.
 */
export interface LogSettings {
  file?: string
  format: 'json' | 'text'
  level: LogLevel
  /** A failure is told with its stack. */
  trace: boolean
}

export function openLog({ file, format, level }: LogSettings): Logger {
  const fd = file === undefined || file === '' ? 2 : openSync(file, 'a', 0o644)
  return createLogger({
    write: (line) => writeAll(fd, line),
    nowMs: () => systemClock.nowMs(),
    level,
    format,
  })
}

/** The one line a person sees: `keelson-oci: <what>: <why> (<what to do>)`. */
export function errorLine(error: KeelsonError, op: string): string {
  const message = error.message.startsWith(`${op}: `) ? error.message.slice(op.length + 2) : error.message
  const why = withReason(error, message.replace(/\s*\n\s*/g, ' '))
  return `${op}: ${why}${error.hint === undefined ? '' : ` (${error.hint})`}`
}

/** Callers look for the C library's sentence (podman tells 126 from 127 by it), people for the errno's name. */
function withReason(error: KeelsonError, why: string): string {
  const reason = error instanceof SyscallError ? errnoReason(error.errno) : undefined
  return reason === undefined || why.includes(reason) ? why : `${why}: ${reason}`
}

/** Tells the log file and standard error, each once. In JSON the step of a plan is a field of its own. */
export function reportFailure(cause: unknown, op: string, settings: LogSettings): void {
  const error = asKeelsonError(cause)
  const line = errorLine(error, op)
  const { message: _, ...details } = error.toJSON()
  const [stage] = (error.op ?? op).split(': ').slice(1)
  const toFile = settings.file !== undefined && settings.file !== ''
  if (toFile || settings.format === 'json')
    openLog(settings).error(line, { ...details, op, ...(stage === undefined ? {} : { stage }) })
  if (toFile || settings.format === 'text') writeAll(2, `keelson-oci: ${line}\n`)
  if (settings.trace && error.stack) writeAll(2, `${error.stack}\n`)
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
