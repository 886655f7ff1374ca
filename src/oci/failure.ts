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
  const { operation, errno } = failedStep(payload, plan)
  const step = operation?.op
  const call = cString(payload.subarray(12, 40))
  const path = cString(payload.subarray(40))
  if (call === 'hook') return hookError(payload, op, id)
  if (operation?.op === 'connect') return socketError(operation.path, errno, op, id)
  if (operation?.op === 'setRlimit') return limitError(operation, errno, op, id)
  if (call === 'lookup' || call === 'execve') return programError(call, errno, path, op, id)
  if (operation?.op === 'mapByProgram' && call === 'exit status') return mapError(path, op, id)
  if (call === 'idmap' && errno === 'EINVAL') return noMapError(path, op, id)
  const where = step === undefined ? op : `${op}: ${step}`
  const hint = step === undefined ? undefined : hints[`${step} ${errno}`]
  return new SyscallError({
    op: where,
    id,
    call,
    errno,
    ...(path === '' ? {} : { path }),
    ...(hint === undefined ? {} : { hint }),
  })
}

/** What to do about refusals whose reason the kernel does not tell. */
const hints: Readonly<Record<string, string>> = {
  'setScheduler EPERM':
    'process.scheduler: needs CAP_SYS_NICE, and for real time on cgroup v1 linux.resources.cpu.realtimeRuntime',
  'setScheduler EBUSY': 'process.scheduler: the processors have not that much deadline time left',
  'setIoPriority EPERM': 'process.ioPriority: IOPRIO_CLASS_RT needs CAP_SYS_NICE',
  'sessionKeyring EDQUOT': 'raise kernel.keys.maxkeys, or use --no-new-keyring',
  'setMemoryPolicy EINVAL':
    'linux.memoryPolicy: not all of the nodes are there, or the kernel is too old for the mode',
  'setAffinity EINVAL': 'process.execCPUAffinity: none of the processors may be used',
  'mountFilesystem EPERM': 'nothing but a few files may be mounted over /proc',
  'mountBind EPERM': 'nothing but a few files may be mounted over /proc, and only a procfs on /proc itself',
  'mountFilesystem ELOOP': 'the target must be reached without a symlink',
  'realDirectory ELOOP': 'the image has a symlink at /dev: mount a file system there',
  'realDirectory ENOTDIR': 'the image has no directory at /dev: mount a file system there',
  'moveDevice ENODEV': 'linux.netDevices: there is no such device in the network namespace of the runtime',
  'moveDevice EEXIST': 'linux.netDevices: the container has a device of that name already',
}

/** Which operation it was (undefined: the zygote has no plan), and why. */
export function failedStep(
  payload: Buffer,
  plan: Plan | undefined,
): { operation: Operation | undefined; errno: string } {
  const list = [plan?.parent, plan?.child][payload.readUInt32LE(0)]
  const number = payload.readUInt32LE(8)
  return { operation: list?.[payload.readUInt32LE(4)], errno: errnoNames.get(number) ?? String(number) }
}

const hookEnds: Readonly<Record<string, (value: number) => string>> = {
  exit: (value) => `exit status ${value}`,
  signal: (value) => `ended by signal ${value}`,
  timeout: (value) => `no end within its ${value} s, so it was killed`,
}

/**
 * Of a hook (native/init/hooks.c): in place of a path its JSON path, the kind of end, its program, and the end of what
 * it wrote to standard error, between NUL bytes. The number is the kind's.
 */
export function hookError(payload: Buffer, op: string, id: string): KeelsonError {
  const value = payload.readUInt32LE(8)
  const [path = '', kind = '', program = '', ...rest] = payload.toString('utf8', 40).split('\0')
  if (kind === '')
    return new KeelsonError('FAILED_PRECONDITION', 'the container ended while its hooks ran', { op, id })
  const said = rest.join('\0').trim()
  const errors = said === '' ? '' : `: ${said}`
  const how = hookEnds[kind]
  if (how) {
    const code = kind === 'timeout' ? 'DEADLINE_EXCEEDED' : 'FAILED_PRECONDITION'
    return new KeelsonError(code, `${path}: ${program}: ${how(value)}${errors}`, { op, id, path })
  }
  const errno = errnoNames.get(value) ?? String(value)
  const reason = kind === 'execve' ? errnoReason(errno) : undefined
  const message = `${path}: exec ${JSON.stringify(program)}: ${reason ?? `${kind}: ${errno}`}`
  return new SyscallError({ op, id, path, call: kind, errno }, message)
}

function socketError(path: string, errno: string, op: string, id: string): KeelsonError {
  return new SyscallError(
    {
      op,
      id,
      path,
      call: 'connect',
      errno,
      hint: 'it has to be a Unix stream socket that somebody listens on',
    },
    `cannot connect to ${path}: ${errnoReason(errno) ?? errno}`,
  )
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

/** In the words of newuidmap or newgidmap, which looked into files that we need not understand. */
function mapError(said: string, op: string, id: string): KeelsonError {
  return new KeelsonError('PERMISSION_DENIED', said.trim().replace(/\s*\n\s*/g, '; '), {
    op,
    id,
    path: 'linux.uidMappings',
    hint: 'give the user ranges in /etc/subuid and /etc/subgid, and stay within them',
  })
}

function noMapError(source: string, op: string, id: string): KeelsonError {
  const message = `the file system of ${source} cannot have a map of ids here`
  return new SyscallError(
    {
      op,
      id,
      path: source,
      call: 'mount_setattr',
      errno: 'EINVAL',
      hint: 'leave idmap out, or put the files on a file system that can (ext4, xfs, btrfs, tmpfs)',
    },
    message,
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
