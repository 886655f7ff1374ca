import { KeelsonError, writeAtomic } from '../../base/index.ts'
import type { Container, CreateRequest, DetachedLife, Process, Spec } from '../../oci/index.ts'
import type { OptionValues } from '../command.ts'
import { activationOf, requireInherited } from './activation.ts'
import { type Bundle, readBundle } from './bundle.ts'
import type { Context } from './context.ts'
import { takeCreate } from './handed-over.ts'

/** Options that `create` and `run` share. */
export const startOptions = {
  bundle: { type: 'string', short: 'b', value: 'DIR', help: 'the bundle; default: the current directory' },
  config: {
    type: 'string',
    short: 'f',
    value: 'FILE',
    help: 'the configuration; default: config.json in the bundle',
  },
  'console-socket': {
    type: 'string',
    value: 'SOCKET',
    help: 'unix socket that receives the master of the container’s terminal',
  },
  'dry-run': { type: 'boolean', help: 'print what would be done, step by step, and do nothing' },
  'pid-file': { type: 'string', value: 'FILE', help: 'write the pid of the container’s first process there' },
  'no-pivot': {
    type: 'boolean',
    help: 'switch the root without pivot_root: only for hosts that run from a ramdisk',
  },
  'no-new-keyring': { type: 'boolean', help: 'keep the session keyring of the caller' },
  'pidfd-socket': {
    type: 'string',
    value: 'SOCKET',
    help: 'unix socket that receives a pidfd of the container’s first process',
  },
  'preserve-fds': { type: 'string', value: 'N', help: 'hand through N descriptors after standard error' },
} as const

export type StartGiven = OptionValues<typeof startOptions>

export interface StartRequest {
  /** All of a request but who it is and how it lives. */
  common: Omit<CreateRequest, 'id' | 'life'>
  spec: Spec
  preserveFds: number
}

/** Everything that can be refused before anything is made. */
export function readStart(given: StartGiven): StartRequest {
  return startOf(given, readBundle(given.bundle ?? '.', given.config), process)
}

/** `caller`: the process that the container is started by, its environment and its id. */
export function startOf(
  given: StartGiven,
  { bundle, spec }: Bundle,
  { env, pid }: Pick<NodeJS.Process, 'env' | 'pid'>,
): StartRequest {
  if (!spec.process)
    throw new KeelsonError('INVALID_ARGUMENT', 'process: is missing', {
      path: 'process',
      hint: 'add the program to run',
    })
  const activation = activationOf(env, pid)
  const preserved = activation.count + preserveFds(given['preserve-fds'])
  requireInherited(preserved, env)
  const pidfdSocket = given['pidfd-socket']
  const common = {
    bundle,
    spec,
    keepSessionKeyring: given['no-new-keyring'] === true,
    noPivot: given['no-pivot'] === true,
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
    environment: activation.environment,
    notify: notifySocket(env) !== undefined,
  }
  return { common, spec, preserveFds: preserved }
}

/** The socket on which our caller's manager waits to hear that the service is ready (sd_notify(3)). */
export function notifySocket(env = process.env): string | undefined {
  return env['NOTIFY_SOCKET'] || undefined
}

export function preserveFds(count: string | undefined): number {
  if (count === undefined) return 0
  if (/^\d{1,4}$/.test(count)) return Number(count)
  throw new KeelsonError('INVALID_ARGUMENT', `--preserve-fds takes a number, not ${JSON.stringify(count)}`)
}

/** A terminal of a process that nobody waits for must be handed to somebody; without a terminal nobody may wait. */
export function checkConsole(
  { terminal = false }: Process,
  detached: boolean,
  socket: string | undefined,
): void {
  if (terminal && detached && socket === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', 'a detached terminal needs --console-socket', {
      path: 'process.terminal',
      hint: 'give --console-socket, or set process.terminal to false',
    })
  if (socket !== undefined && !(terminal && detached))
    throw new KeelsonError('INVALID_ARGUMENT', '--console-socket is for a detached process with a terminal', {
      path: 'process.terminal',
      hint: 'leave --console-socket out, or set process.terminal to true',
    })
}

export function detachedLife(given: StartGiven, preserved: number): DetachedLife {
  const socket = given['console-socket']
  return {
    kind: 'detached',
    stdio: [0, 1, 2],
    preserveFds: preserved,
    ...(socket === undefined ? {} : { consoleSocket: socket }),
  }
}

/** Makes the container, or goes on where the native front could not. */
export async function makeContainer(context: Context, request: CreateRequest): Promise<Container> {
  const begun = takeCreate(process.env)
  const runtime = await context.runtime()
  if (begun === undefined) return runtime.create(request)
  if (begun === 'done') return runtime.get(request.id)
  const { createContext } = await import('../../oci/create-runtime.ts')
  const { resumeCreate } = await import('../../oci/resume-create.ts')
  return resumeCreate(createContext(context.runtimeOptions), request.id, begun)
}

/** What `--dry-run` does instead. */
export async function printPlan({ out, runtimeOptions }: Context, request: CreateRequest): Promise<void> {
  const { describeCreate } = await import('../../oci/index.ts')
  out((await describeCreate(runtimeOptions, request)).map((line) => `${line}\n`).join(''))
}

/** Does `step`; when it fails the container goes with it, so that nothing is left behind. */
export async function orDelete(
  container: Container,
  { log }: Context,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step()
  } catch (error) {
    await container.delete({ force: true }).catch((cause: unknown) => log.warn('clean-up failed', { cause }))
    throw error
  }
}

/** Whole or not at all: callers wait for the file and read it at once. */
export async function writePidFile(path: string | undefined, pid: number): Promise<void> {
  if (path !== undefined) await writeAtomic(path, String(pid), { mode: 0o644, durable: false })
}
