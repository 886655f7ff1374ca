import type { Logger } from '../base/index.ts'
import { removeTree } from '../kernel/index.ts'

/**
 * Removes what an earlier process left unfinished. What cannot be removed stays, and is told: it takes room, but
 * nobody looks for it, so no store stays closed because of it.
 */
export async function removeLeftover(path: string, log: Logger): Promise<void> {
  await removeTree(path).catch((error: unknown) =>
    log.warn('what an earlier process left cannot be removed', { path, error }),
  )
}
