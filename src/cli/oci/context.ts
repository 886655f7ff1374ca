import type { Clock, Logger } from '../../base/index.ts'
import type { Runtime, RuntimeOptions } from '../../oci/index.ts'
import { commandsWith } from '../command.ts'
import type { Globals } from './globals.ts'

/** What every command of keelson-oci is handed. */
export interface Context {
  globals: Globals
  /** Opened at the first call: a command that needs no container never loads the addon. */
  runtime: () => Promise<Runtime>
  runtimeOptions: RuntimeOptions
  out: (text: string) => void
  log: Logger
  clock: Clock
}

export const command = commandsWith<Context>()
