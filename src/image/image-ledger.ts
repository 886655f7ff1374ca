import { join } from 'node:path'
import type { Clock, Logger } from '../base/index.ts'
import { type Ledger, openJournaledLedger, openLedger } from '../ledger/index.ts'

/**
 * What records of images are kept in. The journal of its early commits lies beside it, so that whoever opens the store
 * finds it; that this is on a disk does no harm, for it is never flushed, and usually cleared before it is written out.
 */
export async function openImageLedger({
  directory,
  clock,
  log,
}: {
  directory: string
  clock: Clock
  log: Logger
}): Promise<Ledger> {
  const ledger = await openLedger({ path: join(directory, 'metadata') })
  return openJournaledLedger({ ledger, path: join(directory, 'metadata', 'journal'), clock, log })
}
