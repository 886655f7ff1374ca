import type { Connection } from './connection.ts'
import type { Endpoint } from './mirrors.ts'

/** One server that may have what is asked for, and the way to it. */
export interface Source {
  endpoint: Endpoint
  connection: Connection
  /** Where the one thing is that this server has for us; a registry has everything below its root. */
  url?: URL
}
