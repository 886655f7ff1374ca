import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, type Logger } from '../base/index.ts'

export interface FollowedOptions<Value> {
  /** Files, or directories of directories with files. */
  paths: readonly string[]
  read: () => Promise<Value>
  log: Logger
}

/**
 * What files say, without a restart: they are looked at whenever their value is asked for, and read anew when one of
 * them is another than before. What cannot be read then, or is wrong, is logged once, and what was read last stays in
 * force until the next change: a slip of the pen stops nothing. Only the first reading may fail.
 */
export class Followed<Value> {
  readonly #options: FollowedOptions<Value>
  #value: Value
  #traces: string
  #looking: Promise<void> | undefined

  private constructor(options: FollowedOptions<Value>, value: Value, traces: string) {
    this.#options = options
    this.#value = value
    this.#traces = traces
  }

  static async open<Value>(options: FollowedOptions<Value>): Promise<Followed<Value>> {
    const traces = await tracesOf(options.paths) // before the reading: what changes meanwhile is read again
    return new Followed(options, await options.read(), traces)
  }

  async value(): Promise<Value> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
    return this.#value
  }

  async #look(): Promise<void> {
    const { paths, read, log } = this.#options
    const traces = await tracesOf(paths)
    if (traces === this.#traces) return
    this.#traces = traces
    try {
      this.#value = await read()
      log.info('read anew what was changed', { paths })
    } catch (error) {
      log.error('what was changed is wrong; what was there before stays in force', { paths, error })
    }
  }
}

/** Of a directory, those of what is in it and in its directories. */
async function tracesOf(paths: readonly string[], depth = 2): Promise<string> {
  return (await Promise.all(paths.map((path) => traceOf(path, depth)))).join('\n')
}

async function traceOf(path: string, depth: number): Promise<string> {
  try {
    const status = await stat(path, { bigint: true })
    const own = `${path} ${status.ino} ${status.size} ${status.mtimeNs} ${status.ctimeNs}`
    if (!status.isDirectory() || depth === 0) return own
    const below = (await readdir(path)).sort().map((name) => join(path, name))
    return `${own}\n${await tracesOf(below, depth - 1)}`
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return `${path} absent`
    throw error
  }
}
