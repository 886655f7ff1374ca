import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import {
  asKeelsonError,
  type Clock,
  hasCode,
  hasErrno,
  KeelsonError,
  type Logger,
  silentLogger,
} from '../base/index.ts'
import { originalFileLimit } from '../kernel/index.ts'
import { type CgroupLayout, planCgroup, readCgroupLayout } from './cgroup/index.ts'
import { compileZygote } from './compile/zygote.ts'
import { DiskContainer } from './container.ts'
import { isContainerId, validateContainerId } from './container-id.ts'
import type { CgroupManager, RuntimeContext } from './context.ts'
import { createContainer } from './create-container.ts'
import { restoreMonitored } from './criu/restore-monitored.ts'
import { KnownFacts } from './exec-facts.ts'
import { type HostFacts, readHostFacts } from './host-facts.ts'
import { encodePlan } from './plan/index.ts'
import { readPrivileges } from './privileges.ts'
import type { Container, Runtime } from './runtime.ts'
import { StoredFilters } from './seccomp/index.ts'
import { containerDirectory, requireOurs } from './state/directory.ts'
import { readRecord } from './state/record.ts'
import { writableLayout } from './writable-cgroups.ts'
import { Zygote } from './zygote.ts'

export interface RuntimeOptions {
  /** One directory per container is made in it; on a file system that a reboot empties (/run). Made when absent. */
  stateRoot: string
  clock: Clock
  log?: Logger
  /**
   * Prefix of cgroups that the specification does not name: `/<instance>/<id>`. Default `keelson`; empty puts them
   * directly below the caller's own cgroup.
   */
  instance?: string
  /** The soft RLIMIT_NOFILE of whoever started this process, before Node raised it. Default: the parent's. */
  callerNofileSoft?: number
  /** Default `cgroupfs`. */
  cgroupManager?: CgroupManager
  /** The systemd driver takes the addresses of message buses from it. Default: the usual places. */
  env?: Readonly<Record<string, string | undefined>>
  /**
   * A limit whose cgroup controller this host lacks: `refuse` (default) fails the create, as runc does; `tell` logs a
   * warning.
   */
  missingControllers?: 'refuse' | 'tell'
  /** Default: what this process sees. */
  cgroupLayout?: CgroupLayout
  /** Default: what this machine has. */
  host?: HostFacts
  /** Compiled seccomp filters are also kept there, for other processes: of use to one that makes a single container. */
  filtersDirectory?: string
  /** Do without cgroups that may not be written. Default: unless this process is root of the machine. */
  rootless?: boolean
}

/** The runtime as a library. Nothing is started: containers of an earlier process are found in the state root. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const context = createContext(options)
  const find = async (id: string): Promise<Container | undefined> => {
    const directory = containerDirectory(context.stateRoot, id)
    return readRecord(directory) && new DiskContainer(context, id, directory)
  }
  /** One that cannot be read hides no other. */
  const findReadable = (id: string): Promise<Container | undefined> =>
    find(id).catch((error: unknown) => {
      if (!hasCode(error, 'DATA_LOSS')) throw error
      context.log.warn(asKeelsonError(error).message, { id })
      return undefined
    })
  const get = async (id: string): Promise<Container> => {
    const container = await find(id)
    if (container) return container
    throw new KeelsonError('NOT_FOUND', `container ${id} does not exist`, { id })
  }
  return {
    create: (request) => createContainer(context, { ...request, id: validateContainerId(request.id) }),
    restore: (request) => restoreMonitored(context, { ...request, id: validateContainerId(request.id) }),
    find,
    get,
    async remove(id, { force = false } = {}) {
      if (!force) return (await get(id)).delete()
      const directory = containerDirectory(context.stateRoot, id)
      requireOurs(directory, id)
      const removed = existsSync(directory)
        ? new DiskContainer(context, id, directory).delete({ force })
        : undefined
      await removed?.catch((error: unknown) => {
        if (!hasCode(error, 'NOT_FOUND')) throw error // somebody else was faster
      })
    },
    async list() {
      const found = await Promise.all((await names(context.stateRoot)).map(findReadable))
      return found.filter((container) => container !== undefined)
    },
    [Symbol.asyncDispose]: () => context.zygote[Symbol.asyncDispose](),
  }
}

/** What the verbs work with; by itself only in tests. */
export function createContext(options: RuntimeOptions): RuntimeContext {
  const instance = options.instance ?? 'keelson'
  let layout = options.cgroupLayout
  const privileges = readPrivileges()
  const context: RuntimeContext = {
    stateRoot: options.stateRoot,
    instance,
    cgroupManager: options.cgroupManager ?? 'cgroupfs',
    env: options.env ?? {},
    missingControllers: options.missingControllers ?? 'refuse',
    clock: options.clock,
    log: options.log ?? silentLogger,
    get layout() {
      layout ??= readCgroupLayout()
      return layout
    },
    host: options.host ?? readHostFacts(),
    zygote: new Zygote(options.clock, () => {
      const path = `/${instance}/monitors`
      const usable = context.rootless ? writableLayout(context.layout, path) : context.layout
      const monitors = planCgroup({ layout: usable, path })
      return encodePlan(compileZygote(monitors))
    }),
    privileges,
    filters: options.filtersDirectory === undefined ? undefined : new StoredFilters(options.filtersDirectory),
    rootless: options.rootless ?? !privileges.isRoot,
    execFacts: new KnownFacts(),
    fileLimit: callersFileLimit(options.callerNofileSoft),
  }
  return context
}

function callersFileLimit(soft: number | undefined): { soft: bigint; hard: bigint } {
  const limit = originalFileLimit()
  return soft === undefined ? limit : { ...limit, soft: BigInt(soft) }
}

async function names(stateRoot: string): Promise<string[]> {
  try {
    return (await readdir(stateRoot)).filter(isContainerId)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}
