import type { Clock } from '../../base/index.ts'
import type { Progress as Event } from '../../image/index.ts'
import type { Context, Terminal } from '../context.ts'
import { sizeWords } from './words.ts'

/** Shows how far each layer is; `end` leaves the last state standing. */
export interface Progress {
  show(event: Event): void
  end(): void
}

const redrawMs = 80
const barCells = 24

/** A bar for each layer on a terminal; otherwise a line when a layer begins and one when it is there. */
export function progressOf({ terminal, notice, clock }: Context, quiet: boolean | undefined): Progress {
  if (quiet) return { show: () => undefined, end: () => undefined }
  return terminal ? new Bars(terminal, clock) : new Lines(notice)
}

const linesOf: Partial<Record<Event['status'], string>> = {
  downloading: 'downloading',
  uploading: 'uploading',
  done: 'done',
  exists: 'is there already',
  mounted: 'is there already, in another repository',
}

class Lines implements Progress {
  readonly #notice: (line: string) => void
  readonly #seen = new Map<string, Event['status']>()

  constructor(notice: (line: string) => void) {
    this.#notice = notice
  }

  show({ digest, status, totalBytes }: Event): void {
    if (this.#seen.get(digest) === status) return
    this.#seen.set(digest, status)
    const words = linesOf[status]
    if (words !== undefined) this.#notice(`${shortDigest(digest)}: ${words} (${sizeWords(totalBytes)})`)
  }

  end(): void {}
}

class Bars implements Progress {
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #layers = new Map<string, Event>()
  #drawn = 0
  #cancel: (() => void) | undefined

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal
    this.#clock = clock
  }

  show(event: Event): void {
    this.#layers.set(event.digest, event)
    this.#cancel ??= this.#clock.after(redrawMs, () => {
      this.#cancel = undefined
      this.#draw()
    })
  }

  end(): void {
    this.#cancel?.()
    this.#draw()
  }

  /** Over the lines of last time: up by as many, each cleared to its end. */
  #draw(): void {
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    const width = this.#terminal.columns() - 1
    const lines = [...this.#layers.values()].map((layer) => `${barLine(layer).slice(0, width)}\x1b[K\n`)
    this.#drawn = lines.length
    this.#terminal.write(up + lines.join(''))
  }
}

/** `9f9a2e4c1b7d  ██████████░░░░░░  12.1MB/21.3MB  downloading`. */
export function barLine({ digest, status, currentBytes, totalBytes }: Event): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, currentBytes / totalBytes)
  const full = Math.round(share * barCells)
  const bar = '█'.repeat(full) + '░'.repeat(barCells - full)
  const bytes = `${sizeWords(currentBytes)}/${sizeWords(totalBytes)}`
  return `${shortDigest(digest)}  ${bar}  ${bytes.padEnd(15)}  ${status}`
}

function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12)
}
