/** What a bench is made of, and what comes out of it. */

export type Unit = 'ms' | 'cpu-ms' | 'ops/s' | 'KiB' | 'MiB' | 'count'

/** One of several figures that a turn gives: a row of its own in the table. */
export interface Part {
  id: string
  unit: Unit
  value: number
}

export interface Row {
  /** Fixed row id, so that figures of different days compare. */
  id: string
  /** `keelson`, or the peer's name. */
  variant: string
  /** `name version` of what is measured in this row. */
  version: string
  /** Of what `run` gives; default ms. Only ops/s is better when higher. */
  unit?: Unit
  /** Takes part in every n-th round only (default 1): for rows that take seconds. */
  every?: number
  /** Before the clock runs; what it gives is handed to `run` and `after`. */
  before?: () => Promise<void>
  /** One measured turn. Returns nothing, or the time in ms where only a part counts, or the figure in `unit`, or several. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most rows return nothing
  run: () => Promise<number | void | readonly Part[]>
  /** After the clock: removal. Its CPU time counts. */
  after?: () => Promise<void>
}

export interface Measured {
  row: Row
  id: string
  unit: Unit
  values: number[]
  /** Mean CPU time of one turn, everything that ran below the bench's cgroup. */
  cpuMs: number | undefined
}

export interface BenchOptions {
  quick: boolean
  json: boolean
  /** What was left out and why: printed, never silent. */
  notice: (text: string) => void
}

export interface Bench {
  name: string
  /** What each row stands for, for the reader of the table. */
  about: string[]
  /** Turns of each row, warm-up apart; `--quick` takes a tenth. */
  rounds: number
  rows: (options: BenchOptions) => Promise<Row[]>
  /** Called at the end, also after a failure: removes what the rows left. */
  finish?: () => Promise<void>
  /** The peer a keelson row's `ratio` is taken against, first present wins. */
  peers: readonly string[]
}
