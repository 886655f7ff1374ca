import { hasCode, KeelsonError } from '../base/index.ts'
import type { OwnedFd } from '../kernel/index.ts'
import type { RuntimeContext } from './context.ts'
import { endProcesses } from './delete-container.ts'
import { observe } from './state/observe.ts'
import { late, within } from './within.ts'

/** Longer than any command takes that does not wait for somebody else. */
const holderPatienceMs = 500
const giveUpAfterMs = 30_000

/**
 * The lock of a container that is to be deleted whatever it does. Whoever has it may wait for a hook that never ends:
 * the container is killed in any case, and with its first process ends what is done for it.
 */
export async function lockByForce(
  context: RuntimeContext,
  id: string,
  directory: string,
  lock: Promise<OwnedFd>,
): Promise<OwnedFd> {
  for (let waitedMs = 0; waitedMs < giveUpAfterMs; waitedMs += holderPatienceMs) {
    const taken = await within(context.clock, holderPatienceMs, lock)
    if (taken !== late) return taken
    await endProcesses(context, observe(directory, id)).catch((error: unknown) => {
      if (!hasCode(error, 'NOT_FOUND')) throw error // nothing is recorded yet, or no more
    })
  }
  void lock.then((taken) => taken[Symbol.dispose]()).catch(() => undefined) // nobody's then
  throw new KeelsonError('DEADLINE_EXCEEDED', `container ${id} is in use by another command`, {
    op: 'delete',
    id,
    hint: `see who holds ${directory}/lock`,
  })
}
