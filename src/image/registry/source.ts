import type { Connection } from './connection.ts'
import type { Endpoint } from './mirrors.ts'

/** One server that may have what is asked for, and the way to it. */
export interface Source {
  endpoint: Endpoint
  connection: Connection
}
