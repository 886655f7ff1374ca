import { type ErrorCode, KeelsonError } from '../../base/index.ts'
import { isObject } from './json.ts'
import type { ProgramEnd } from './run-program.ts'

/** A plugin that failed, in one sentence: its name, what it was to do, its own words and its code. */
export class PluginError extends KeelsonError {
  readonly plugin: string
  /** Of the specification (1 to 99) or the plugin's own (100 and up); undefined when it gave none. */
  readonly pluginCode: number | undefined

  constructor(code: ErrorCode, message: string, plugin: string, pluginCode?: number) {
    super(code, message, { op: 'CNI' })
    this.name = 'PluginError'
    this.plugin = plugin
    this.pluginCode = pluginCode
  }
}

/** Codes that the specification has a meaning for. 11: try again later. 50, 51: not available (STATUS). */
const codes: Readonly<Record<number, ErrorCode>> = {
  1: 'FAILED_PRECONDITION', // does not speak this version
  2: 'INVALID_ARGUMENT', // a member of the configuration is unknown to it
  3: 'NOT_FOUND', // no such container
  4: 'INVALID_ARGUMENT', // an environment variable is wrong
  6: 'INVALID_ARGUMENT', // it could not read the configuration
  7: 'INVALID_ARGUMENT', // the configuration is wrong
  11: 'UNAVAILABLE',
  50: 'UNAVAILABLE',
  51: 'UNAVAILABLE',
}

export interface FailureContext {
  type: string
  command: string
  timeoutMs: number
  outputBytesMax: number
}

/** Undefined when it ended as it should. */
export function failureOf(end: ProgramEnd, context: FailureContext): PluginError | undefined {
  const { type, command, timeoutMs, outputBytesMax } = context
  const told = (code: ErrorCode, what: string) => new PluginError(code, `CNI plugin "${type}" ${what}`, type)
  if (end.stopped === 'time')
    return told('DEADLINE_EXCEEDED', `did not end ${command} within ${timeoutMs / 1000} s and was killed`)
  if (end.stopped === 'output')
    return told('RESOURCE_EXHAUSTED', `wrote more than ${outputBytesMax} bytes on ${command} and was killed`)
  if (end.stopped === 'aborted')
    return told('CANCELLED', `was killed during ${command}: the call was given up`)
  if (end.signalName !== null)
    return told('INTERNAL', `was ended by ${end.signalName} during ${command}${quoted(end.stderr)}`)
  if (end.exitCode === 0) return undefined
  return ownError(end.stdout, type, command) ?? withoutError(end, type, command)
}

/** An answer that is none. */
export function invalidAnswer(type: string, command: string, answer: string): PluginError {
  const what = answer.trim() === '' ? 'nothing' : `no JSON object${quoted(answer)}`
  return new PluginError('INTERNAL', `CNI plugin "${type}" answered ${command} with ${what}`, type)
}

function ownError(stdout: string, type: string, command: string): PluginError | undefined {
  const error = parseOrNothing(stdout)
  if (!isObject(error) || typeof error['msg'] !== 'string') return undefined
  const code = typeof error['code'] === 'number' ? error['code'] : undefined
  const details =
    typeof error['details'] === 'string' && error['details'] !== '' ? `; ${error['details']}` : ''
  const number = code === undefined ? '' : ` (code ${code})`
  const words = shortened(`${error['msg']}${details}`)
  const message = `CNI plugin "${type}" failed to ${command}: ${words}${number}`
  return new PluginError(codes[code ?? 0] ?? 'INTERNAL', message, type, code)
}

function withoutError({ exitCode, stdout, stderr }: ProgramEnd, type: string, command: string): PluginError {
  const words = quoted(stderr.trim() === '' ? stdout : stderr)
  const message = `CNI plugin "${type}" failed to ${command}: it ended with exit code ${exitCode}${words}`
  return new PluginError('INTERNAL', message, type)
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function quoted(text: string): string {
  return text.trim() === '' ? '' : `: ${shortened(text)}`
}

const wordsMax = 300

/** One line of printable text. */
function shortened(text: string): string {
  const line = text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
  return line.length <= wordsMax ? line : `${line.slice(0, wordsMax)}…`
}
