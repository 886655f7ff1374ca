import type { Command } from './command.ts'
import type { Context } from './context.ts'

/** A command that is loaded, with the layer that it needs, only when it runs. */
export interface Entry {
  /** Here as well as in the command: a list must not load every layer. */
  summary: string
  load: () => Promise<{ default: Command<Context> }>
}

/** Commands under one word: `keelson image pull`. */
export interface Group {
  summary: string
  group: Readonly<Record<string, Entry>>
}
