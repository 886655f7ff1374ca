/** Durable key-value store with group commit: the one door to lmdb. */

export { openJournaledLedger } from './journaled.ts'
export type { CommitOptions, Ledger, LedgerOptions, Operation, Range } from './ledger.ts'
export { openLedger } from './lmdb.ts'
