import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CompiledFilter } from './compile.ts'

/**
 * Filters that other processes compiled: a command that lives for one container would compile the one profile of its
 * caller again and again, for a tenth of its time. One file each, in a directory below the state root, to which only
 * the runtime's user can write. A file says from which profile and by which build of ours it was made, whole: what does not match
 * to the letter is as if it were not there. Their number is bounded, a later one takes the place of an earlier.
 */
export class StoredFilters {
  readonly #directory: string
  #pending: { key: string; filter: CompiledFilter } | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  find(key: string): CompiledFilter | undefined {
    try {
      const stored = JSON.parse(readFileSync(this.#pathOf(key), 'utf8'))
      if (stored.key !== key || stored.build !== buildOfOurs()) return undefined
      const { program, flags, notify, ignored } = stored
      return { program: Buffer.from(program, 'base64'), flags, notify, ignored }
    } catch {
      return undefined
    }
  }

  /** Written with `save`, when nobody waits. */
  keep(key: string, filter: CompiledFilter): void {
    this.#pending = { key, filter }
  }

  /** Best effort: the next one compiles again. */
  save(): void {
    if (!this.#pending) return
    const { key, filter } = this.#pending
    this.#pending = undefined
    const path = this.#pathOf(key)
    const program = Buffer.from(filter.program).toString('base64')
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      const text = JSON.stringify({ build: buildOfOurs(), key, ...filter, program })
      writeFileSync(`${path}.${process.pid}`, text, { mode: 0o600 })
      renameSync(`${path}.${process.pid}`, path)
    } catch {}
  }

  #pathOf(key: string): string {
    return join(this.#directory, String(placeOf(key)))
  }
}

const places = 64

/** Of 64 samples: two profiles that differ elsewhere share a place, which costs time and nothing else. */
function placeOf(key: string): number {
  let sum = key.length
  for (let at = 0; at < key.length; at += 1 + (key.length >> 6)) sum = (sum * 31 + key.charCodeAt(at)) >>> 0
  return sum % places
}

/** Changes with every build and installation: a filter of an older compiler must not outlive it. */
function buildOfOurs(): string {
  const { ino, size, ctimeMs } = statSync(fileURLToPath(import.meta.url))
  return `${ino} ${size} ${ctimeMs}`
}
