import { rmdir } from 'node:fs/promises'
import { posix } from 'node:path'
import { hasCode, hasErrno } from '../base/index.ts'
import { whichExist } from '../kernel/index.ts'
import { cgroupLeaves, killCgroup, removeCgroup } from '../oci/index.ts'
import { containerCgroup, podCgroupPath, sliceOf } from './cgroup-place.ts'
import type { PodContext } from './context.ts'
import type { SandboxRecord } from './records.ts'
import type { PodStore } from './store.ts'

/**
 * Who removes the cgroup of a pod: one of ours, or what the caller names, where other pods may be, or below it.
 *
 * - Who finds it absent owns it, and removes it in the end.
 * - While another pod has the same path, or one below it, nothing there is killed or removed. Of the same path the other
 *   is then the owner, so that the last one removes it.
 * - Pods that are being made count from the moment they claim their path; who claims one that is just being removed
 *   waits for that.
 */
type Claim = Pick<SandboxRecord, 'cgroupPath' | 'ownsCgroup'> & { leaving?: Promise<void> }

export class PodCgroups {
  readonly #store: PodStore
  readonly #claims = new Map<string, Claim>()

  /** With what is on record. */
  constructor(store: PodStore) {
    this.#store = store
    for (const { id, cgroupPath, ownsCgroup } of store.sandboxes())
      this.#claims.set(id, { cgroupPath, ownsCgroup })
  }

  /** The claim is read again when it is recorded: meanwhile the pod may have come to own the path. */
  async claim(id: string, cgroupPath: string, isAbsent: () => boolean): Promise<Readonly<Claim>> {
    for (let going = this.#going(cgroupPath); going; going = this.#going(cgroupPath))
      await going.catch(() => undefined)
    const claim = { cgroupPath, ownsCgroup: isAbsent() }
    this.#claims.set(id, claim)
    return claim
  }

  #going(path: string): Promise<void> | undefined {
    const claims = [...this.#claims.values()]
    return claims.find(({ cgroupPath, leaving }) => leaving && liesIn(path, cgroupPath))?.leaving
  }

  isUsed(path: string): boolean {
    return [...this.#claims.values()].some(({ cgroupPath }) => liesIn(cgroupPath, path))
  }

  /** The claim ends when `remove` has done its work, which is told whether the group itself is to go. */
  async release(id: string, remove: (isOurs: boolean) => Promise<void>): Promise<void> {
    const claim = this.#claims.get(id)
    if (!claim) return await remove(false)
    claim.leaving = this.#leave(id, claim, remove)
    try {
      await claim.leaving
      this.#claims.delete(id)
    } finally {
      delete claim.leaving
    }
  }

  async #leave(id: string, claim: Claim, remove: (isOurs: boolean) => Promise<void>): Promise<void> {
    const others = [...this.#claims].filter(
      ([other, { cgroupPath, leaving }]) => other !== id && !leaving && liesIn(cgroupPath, claim.cgroupPath),
    )
    if (claim.ownsCgroup && others.length > 0) await this.#handOver(claim, others)
    await remove(claim.ownsCgroup && others.length === 0)
  }

  async #handOver({ cgroupPath }: Claim, others: readonly [string, Claim][]): Promise<void> {
    const [id, heir] = others.find(([, other]) => liesIn(cgroupPath, other.cgroupPath)) ?? []
    if (id === undefined || !heir) return
    heir.ownsCgroup = true
    await this.#store
      .changeSandbox(id, (last) => ({ ...last, ownsCgroup: true }))
      .catch((error: unknown) => {
        if (!hasCode(error, 'NOT_FOUND')) throw error // it is still being made, and will be recorded so
      })
  }
}

function liesIn(path: string, directory: string): boolean {
  return posix.join('/', path, '/').startsWith(posix.join('/', directory, '/'))
}

/** A parent the caller named is the caller's; what was not there before is removed with the sandbox. */
export async function claimPodCgroup(
  { cgroups, cgroupInstance, cgroupLayout, slices }: PodContext,
  id: string,
  parent: string,
): Promise<Readonly<Claim>> {
  const path = podCgroupPath(slices ? 'systemd' : 'cgroupfs', cgroupInstance, id, parent)
  const leaves = cgroupLeaves({ layout: cgroupLayout, path })
  return await cgroups.claim(id, path, () => parent === '' || !whichExist(leaves).includes(true))
}

/** With whatever is still in it: a process that no record speaks of any more must not outlive its pod. */
export async function removePodCgroup(
  { clock, cgroupLayout, slices }: PodContext,
  path: string,
): Promise<void> {
  const leaves = cgroupLeaves({ layout: cgroupLayout, path })
  await killCgroup(leaves)
  const slice = sliceOf(path)
  if (slice !== undefined) await slices?.stop(slice)
  await removeCgroup(leaves, { clock })
}

/** Of a pod that could not be made: only what it made itself, for whatever else is there is another's. */
export async function undoPodCgroup(context: PodContext, id: string, path: string): Promise<void> {
  await context.cgroups.release(id, async (isOurs) => {
    await removePodCgroup(context, containerCgroup(path, id))
    if (!isOurs) return
    const slice = sliceOf(path)
    if (slice !== undefined) await context.slices?.stop(slice)
    for (const leaf of cgroupLeaves({ layout: context.cgroupLayout, path })) await removeEmpty(leaf)
  })
}

async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY')) throw error
  }
}
