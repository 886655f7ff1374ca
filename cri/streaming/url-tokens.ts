import { randomBytes } from 'node:crypto'
import { CriError } from '../error.ts'

const tokenLifeMs = 60_000
const tokensMax = 1000

/** One-shot tokens: 8 URL-safe characters, one use, one minute, at most 1000 waiting. */
export class UrlTokens<Value> {
  readonly #nowMs: () => number
  /** In the order of their expiry. */
  readonly #waiting = new Map<string, { value: Value; expiresAtMs: number }>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  issue(value: Value): string {
    this.#dropExpired()
    if (this.#waiting.size >= tokensMax)
      throw new CriError(
        'RESOURCE_EXHAUSTED',
        `${tokensMax} streaming requests wait for their client already`,
      )
    const token = randomBytes(6).toString('base64url')
    this.#waiting.set(token, { value, expiresAtMs: this.#nowMs() + tokenLifeMs })
    return token
  }

  take(token: string): Value | undefined {
    this.#dropExpired()
    const found = this.#waiting.get(token)
    this.#waiting.delete(token)
    return found?.value
  }

  #dropExpired(): void {
    for (const [token, { expiresAtMs }] of this.#waiting) {
      if (expiresAtMs > this.#nowMs()) return
      this.#waiting.delete(token)
    }
  }
}
