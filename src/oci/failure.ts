import { constants } from 'node:os'
import { codeOfErrno, KeelsonError, SyscallError } from '../base/index.ts'
import { errnoReason } from './errno-reason.ts'
import type { Operation, Plan } from './plan/operations.ts'
import { rlimitName } from './rlimits.ts'

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/**
 * The payload of a failure frame (native/init/run.c): which list, which step, errno, call, path. A program that
 * cannot be run is told in runc's words, which callers show to people; everything else as the step, call and path.
 */
export function failureError(payload: Buffer, plan: Plan | undefined, op: string, id: string): KeelsonError {
  const list = [plan?.parent, plan?.child][payload.readUInt32LE(0)] // the zygote has none
  const operation = list?.[payload.readUInt32LE(4)]
  const step = operation?.op
  const number = payload.readUInt32LE(8)
  const errno = errnoNames.get(number) ?? String(number)
  const call = cString(payload.subarray(12, 40))
  const path = cString(payload.subarray(40))
  if (operation?.op === 'setRlimit') return limitError(operation, errno, op, id)
  if (call === 'lookup' || call === 'execve') return programError(call, errno, path, op, id)
  const where = step === undefined ? op : `${op}: ${step}`
  return new SyscallError({ op: where, id, call, errno, ...(path === '' ? {} : { path }) })
}

function limitError(
  { resource, soft, hard }: Extract<Operation, { op: 'setRlimit' }>,
  errno: string,
  op: string,
  id: string,
): KeelsonError {
  const name = rlimitName(resource)
  const hint = errno === 'EPERM' ? 'raising a hard limit needs CAP_SYS_RESOURCE' : 'check process.rlimits'
  return new SyscallError(
    { op, id, path: 'process.rlimits', call: 'prlimit64', errno, hint },
    `${name}: cannot be set to soft ${soft}, hard ${hard}: ${errno}`,
  )
}

function programError(call: string, errno: string, path: string, op: string, id: string): KeelsonError {
  const reason =
    call === 'lookup' && errno === 'ENOENT'
      ? 'executable file not found in $PATH'
      : (errnoReason(errno) ?? errno)
  return new SyscallError(
    { op, id, path, call: 'execve', errno, hint: 'check process.args and the PATH of its environment' },
    `exec: ${JSON.stringify(path)}: ${reason}`,
  )
}

/** keelson-init went away without a word: it was killed, or the machine is out of memory. */
export function lostError(op: string, id: string): KeelsonError {
  return new KeelsonError('INTERNAL', `${op}: keelson-init ended without an answer`, { op, id })
}

export function errnoError(number: number, call: string, id: string): KeelsonError {
  const errno = errnoNames.get(number) ?? String(number)
  return new KeelsonError(codeOfErrno(errno), `${call}: ${errno}`, { op: call, id })
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}
