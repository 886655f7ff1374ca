/** The cluster's state with etcd's semantics behind one interface; the embedded back end stands on the ledger. */
export { type OpenStoreOptions, openStore } from './ledger-store.ts'
export type {
  Comparison,
  Entry,
  Lease,
  ListQuery,
  ListResult,
  ReadOptions,
  ReadResult,
  Store,
  StoreEvent,
  Transaction,
  TransactionResult,
  Watch,
  WatchOptions,
  Write,
} from './store.ts'
