/** The cluster's state with etcd's semantics behind one interface. */
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
