import { type CapabilityMasks, capabilityMasks } from '../capabilities.ts'
import { programEnvironment } from '../environment.ts'
import type { HostFacts } from '../host-facts.ts'
import type { LandlockPolicy } from '../landlock.ts'
import { directoryFlags, fileLimitResource, terminalFlags, words } from '../plan/constants.ts'
import type { Operation } from '../plan/operations.ts'
import { compileRlimits } from '../rlimits.ts'
import type { Linux, Process } from '../spec.ts'
import { compileAttributes } from './attributes.ts'
import { compileExecLabels } from './labels.ts'
import { compileLandlock } from './landlock.ts'
import type { FilterPlan } from './seccomp.ts'

export interface ProgramRequest {
  process: Process
  filter: FilterPlan
  /** Of the container: what of it an exec gets as well. */
  linux: Linux | undefined
  landlock: LandlockPolicy | undefined
  host: HostFacts
  /** Slots of 0, 1, 2; `noFd` (operations.ts) is /dev/null. Not looked at with a terminal. */
  stdio: readonly [number, number, number]
  /** Slots that become 3, 4, … */
  preserved: readonly number[]
  listener: number
  isInit: boolean
  /** No program follows: keelson-init stays (native/init/hold.c). */
  holds?: boolean
  fileLimit: { soft: bigint; hard: bigint }
  /** Goes between everything that prepares and everything that has to happen at the very end. */
  wait: readonly Operation[]
  /** After the wait: what runs first, with the operations that give a process its identity where ours has none yet. */
  hooks?: (prepare: readonly Operation[]) => Operation[]
  /** Slots that they need. */
  later?: readonly number[]
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * From "everything is mounted" to the user's program. Where no_new_privs is set Landlock and the filter are the last
 * things before exec. Without it they need CAP_SYS_ADMIN, so they come before the change of identity, which the filter
 * then has to allow (as with runc); both wait for the start, so that a filter never meets our own waiting.
 */
export function compileProgram(request: ProgramRequest): Operation[] {
  const { process, linux, host, listener, filter } = request
  const { args = [], env: given } = process
  const { env, needsHome } = programEnvironment(given)
  const masks = capabilityMasks(process.capabilities)
  const landlock = compileLandlock(request.landlock, host.landlockAbi)
  const last = [...landlock.enforce, ...filter.load]
  const identity = compileIdentity(process, masks)
  const early = process.noNewPrivileges === true || last.length === 0
  return [
    ...compileAttributes(process, linux),
    ...limits(request),
    ...compileExecLabels(process, host),
    ...(process.noNewPrivileges ? [{ op: 'noNewPrivileges' } as const] : []),
    ...stdio(request),
    { op: 'enterDirectory', path: process.cwd, flags: request.isInit ? directoryFlags.makeMissing : 0 },
    ...landlock.prepare,
    { op: 'dropBounding', kept: masks.bounding },
    ...(early ? identity : []),
    ...(request.holds ? [] : findProgram(process, env, needsHome)),
    ...filter.learn,
    {
      op: 'keepDescriptors',
      slots: words(request.preserved),
      later: words([...(request.later ?? []), ...filter.later]),
      listener,
    },
    ...request.wait,
    ...(request.hooks?.(early ? [] : identity) ?? []),
    ...last,
    ...(early ? [] : identity),
    request.holds ? { op: 'hold' } : { op: 'execute', args, env },
  ]
}

function findProgram({ args, user }: Process, env: readonly string[], needsHome: boolean): Operation[] {
  const path = env.find((one) => one.startsWith('PATH='))?.slice(5) ?? defaultPath
  return [
    ...(needsHome ? [{ op: 'findHome', uid: user?.uid ?? 0 } as const] : []),
    { op: 'findProgram', name: args?.[0] ?? '', path },
  ]
}

function limits({ process, fileLimit }: ProgramRequest): Operation[] {
  const rlimits = compileRlimits(process.rlimits)
  const files = rlimits.some(({ resource }) => resource === fileLimitResource)
    ? []
    : [{ resource: fileLimitResource, ...fileLimit }]
  return [
    ...[...files, ...rlimits].map((one): Operation => ({ op: 'setRlimit', ...one })),
    ...(process.oomScoreAdj === undefined
      ? []
      : [{ op: 'adjustOomScore', score: process.oomScoreAdj >>> 0 } as const]),
  ]
}

function stdio({ process, stdio: [stdin, stdout, stderr], isInit }: ProgramRequest): Operation[] {
  const uid = process.user?.uid ?? 0
  const { width = 0, height = 0 } = process.consoleSize ?? {}
  const open: Operation = process.terminal
    ? { op: 'openTerminal', columns: width, rows: height, flags: isInit ? terminalFlags.bindConsole : 0 }
    : { op: 'placeStdio', stdin, stdout, stderr }
  return uid === 0 ? [open] : [open, { op: 'ownStdio', uid }]
}

function compileIdentity({ user }: Process, masks: CapabilityMasks): Operation[] {
  const { uid = 0, gid = 0, additionalGids = [], umask = 0o22 } = user ?? {}
  const { effective, permitted, inheritable, ambient } = masks
  return [
    { op: 'setIdentity', uid, gid, groups: words(additionalGids), umask },
    { op: 'setCapabilities', effective, permitted, inheritable, ambient },
  ]
}
