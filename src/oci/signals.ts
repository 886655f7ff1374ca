import { constants } from 'node:os'
import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'

const sigrtmin = 34 // what programs mean by SIGRTMIN: glibc keeps 32 and 33 for itself
const sigrtmax = 64

/** A signal's number from `9`, `"9"`, `KILL`, `sigkill`, `RTMIN+3`, `RTMAX-1`. INVALID_ARGUMENT otherwise. */
export function signalNumber(signal: number | string): number {
  const text = String(signal).trim().toUpperCase()
  const number = /^\d+$/.test(text) ? Number(text) : namedSignal(text.replace(/^SIG/, ''))
  if (number !== undefined && number >= 0 && number <= sigrtmax) return number
  throw new KeelsonError('INVALID_ARGUMENT', `unknown signal ${shown(String(signal))}`, {
    hint: 'give a number from 1 to 64 or a name such as TERM or SIGKILL',
  })
}

/** `SIGTERM` for 15, `SIGRTMIN+2` for 36; undefined for a number without a name. */
export function signalName(number: number): string | undefined {
  const named = Object.entries(constants.signals).find(([, value]) => value === number)
  if (named) return named[0]
  if (number < sigrtmin || number > sigrtmax) return undefined
  return number === sigrtmin ? 'SIGRTMIN' : `SIGRTMIN+${number - sigrtmin}`
}

function namedSignal(name: string): number | undefined {
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name)
  if (!realTime) return (constants.signals as Record<string, number>)[`SIG${name}`]
  const offset = Number(`${realTime[2] ?? ''}${realTime[3] ?? 0}`)
  const number = (realTime[1] === 'MIN' ? sigrtmin : sigrtmax) + offset
  return number >= sigrtmin && number <= sigrtmax ? number : undefined
}
