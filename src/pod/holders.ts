import { setMaxListeners } from 'node:events'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cleanup, type Clock, hasCode, KeelsonError, type Logger } from '../base/index.ts'
import type { NamespacePin } from '../kernel/index.ts'
import type { Container, Runtime } from '../oci/index.ts'
import { cgroupsPathOf } from './cgroup-place.ts'
import { nowNs, type PodContext, sandboxDirectory } from './context.ts'
import type { SandboxRecord } from './records.ts'
import { holderSpec } from './spec/holder.ts'
import { type PodNamespaces, podPins } from './spec/namespaces.ts'
import type { PodStore } from './store.ts'

/**
 * The process of a pod that needs one (`needsHolder`): keelson-init as PID 1 of the pod, in a cgroup below the pod's.
 * To the runtime it is a container with the sandbox's id, so its record is there before it is, it is found again after
 * any end of this process, and one of which no sandbox speaks is removed at recovery.
 */
export type NewSandbox = Pick<SandboxRecord, 'id' | 'config' | 'cgroupPath'>

const oomScoreAdj = -998

/** Between attempts to record an end. */
const retryMs = 1000

export async function startHolder(
  context: PodContext,
  undo: Cleanup,
  { id, config, cgroupPath }: NewSandbox,
): Promise<Container> {
  const bundle = sandboxDirectory(context, id)
  const root = join(bundle, 'empty')
  await mkdir(root, { recursive: true, mode: 0o755 })
  undo.defer(() => context.runtime.remove(id, { force: true }))
  const container = await context.runtime.create({
    id,
    bundle,
    holds: true,
    life: { kind: 'detached' },
    spec: holderSpec({
      config,
      cgroupsPath: cgroupsPathOf(cgroupPath, id),
      root,
      oomScoreAdj: Math.max(oomScoreAdj, context.host.oomScoreAdjMin),
    }),
  })
  await container.start()
  return container
}

const procNames: Readonly<Record<NamespacePin, string>> = {
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  pid: 'pid',
  user: 'user',
}

/** The namespaces of a container's first process; released with `held`. */
export async function openNamespacesOf(
  container: Container,
  kinds: readonly NamespacePin[],
  held: Cleanup,
): Promise<Partial<Record<NamespacePin, number>>> {
  const { pid } = await container.state()
  const fds: Partial<Record<NamespacePin, number>> = {}
  for (const kind of kinds) fds[kind] = (await held.use(open(`/proc/${pid}/ns/${procNames[kind]}`))).fd
  // The number was this process's before and is after: meanwhile it was nobody else's.
  if ((await container.state()).pid === pid) return fds
  throw new KeelsonError('FAILED_PRECONDITION', `container ${container.id} has ended`, { id: container.id })
}

export function openHeldNamespaces(
  holder: Container,
  own: PodNamespaces,
  held: Cleanup,
): Promise<Partial<Record<NamespacePin, number>>> {
  return openNamespacesOf(holder, podPins(own), held)
}

/** What is not there is no error. */
export async function endHolder(
  { holders, runtime }: { holders: Holders; runtime: Runtime },
  id: string,
): Promise<void> {
  holders.release(id)
  await runtime.remove(id, { force: true })
}

/** Watches the holders: the end of one that nobody asked for makes its sandbox NOTREADY. */
export class Holders {
  readonly #options: { store: PodStore; clock: Clock; log: Logger }
  readonly #watched = new Map<string, AbortController>()
  readonly #closing = new AbortController()

  constructor(options: { store: PodStore; clock: Clock; log: Logger }) {
    this.#options = options
    setMaxListeners(0, this.#closing.signal) // one per holder
  }

  watch(id: string, holder: Container): void {
    const released = new AbortController()
    this.#watched.set(id, released)
    const signal = AbortSignal.any([released.signal, this.#closing.signal])
    this.#untilEnd(id, holder, signal)
      .catch((error) => {
        if (!signal.aborted)
          this.#options.log.error('the holder of a pod is no longer watched', { id, error })
      })
      .finally(() => {
        if (this.#watched.get(id) === released) this.#watched.delete(id)
      })
  }

  /** Its end will tell nothing. */
  release(id: string): void {
    this.#watched.get(id)?.abort()
    this.#watched.delete(id)
  }

  close(): void {
    this.#closing.abort()
  }

  /** Rejects only when released: what cannot be recorded now is tried again, for nobody else knows of it. */
  async #untilEnd(id: string, holder: Container, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    for (;;) {
      try {
        await ended(holder, signal)
        signal.throwIfAborted()
        return await this.#record(id)
      } catch (error) {
        signal.throwIfAborted()
        log.error('the end of a pod’s holder is not recorded yet', { id, error })
        await clock.sleep(retryMs, signal)
      }
    }
  }

  async #record(id: string): Promise<void> {
    const { store, clock, log } = this.#options
    const record = store.findSandbox(id)
    if (!record || record.stoppedAtNs !== undefined) return
    log.warn('the process that holds the namespaces of a pod has ended', { id })
    await store.stopSandbox(id, nowNs(clock))
  }
}

/** One of which the runtime no longer knows has ended too. */
async function ended(holder: Container, signal: AbortSignal): Promise<void> {
  try {
    await holder.wait({ signal })
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error
  }
}
