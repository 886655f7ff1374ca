import { access, constants, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError } from '../base/index.ts'
import { canIdmap } from '../kernel/index.ts'
import type { PodContext } from './context.ts'

export interface Condition {
  status: boolean
  /** Words of one piece, as conditions have them. Empty where all is well. */
  reason: string
  message: string
}

const well: Condition = { status: true, reason: '', message: '' }

/** A kubelet asks every five seconds: each second time it is looked anew. */
const validMs = 8000

/**
 * Whether pods can be made here (RuntimeReady): the run directory takes a file, the cgroup hierarchies are there and can be
 * written, the disk of the images answers, and the last record that was to be kept was kept. Looked at when somebody asks,
 * and not again for a while.
 */
export class Readiness {
  readonly #context: Pick<PodContext, 'filesDirectory' | 'cgroupLayout' | 'images' | 'store' | 'clock'>
  #place: Promise<string> | undefined
  #last: { atMs: number; condition: Condition } | undefined

  constructor(context: Pick<PodContext, 'filesDirectory' | 'cgroupLayout' | 'images' | 'store' | 'clock'>) {
    this.#context = context
  }

  async condition(): Promise<Condition> {
    const atMs = this.#context.clock.monotonicMs()
    if (this.#last?.condition.status && atMs - this.#last.atMs < validMs) return this.#last.condition
    const condition = await this.#look()
    this.#last = { atMs, condition }
    return condition
  }

  /** Whether pods may have them: the host lets us make them, and images can be mounted with the owners that they have in there. */
  async userNamespaces(): Promise<boolean> {
    const most = Number(await readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => '0'))
    return most > 0 && (await canIdmap(await this.#imagesAt()).catch(() => false))
  }

  /** Asking for it counts everything that is there. */
  #imagesAt(): Promise<string> {
    this.#place ??= this.#context.images.filesystem().then(({ mountpoint }) => mountpoint)
    this.#place.catch(() => {
      this.#place = undefined
    })
    return this.#place
  }

  async #look(): Promise<Condition> {
    const { filesDirectory, cgroupLayout, store } = this.#context
    const { v1, v2 } = cgroupLayout
    const hierarchies = v2 ? [...v1, v2] : v1
    for (const [reason, look] of [
      ['RunDirectoryNotWritable', () => tryWriting(filesDirectory)],
      [
        'CgroupsNotWritable',
        () => Promise.all(hierarchies.map(({ mountPoint }) => access(mountPoint, constants.W_OK))),
      ],
      ['ImageStoreNotWritable', async () => access(await this.#imagesAt(), constants.W_OK)],
      ['RecordsNotWritable', () => store.lastCommit],
    ] as const) {
      const problem = await Promise.resolve(look()).then(() => undefined, asKeelsonError)
      if (problem) return { status: false, reason, message: problem.message }
    }
    return well
  }
}

/** Leaves nothing: what is here belongs to pods. */
async function tryWriting(directory: string): Promise<void> {
  const path = join(directory, '.written')
  await writeFile(path, '')
  await rm(path, { force: true })
}
