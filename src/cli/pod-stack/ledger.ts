import { type Ledger, openJournaledLedger, openLedger } from '../../ledger/index.ts'
import { pathsOf } from '../paths.ts'
import type { PodStackOptions } from './options.ts'

/** What a node remembers. Its journal is gone after a reboot, as pods are. */
export async function openNodeLedger({ config, clock, log }: PodStackOptions): Promise<Ledger> {
  const { nodeLedger, nodeJournal } = pathsOf(config)
  const ledger = await openLedger({ path: nodeLedger })
  return openJournaledLedger({ ledger, path: nodeJournal, clock, log: log.child({ part: 'ledger' }) })
}
