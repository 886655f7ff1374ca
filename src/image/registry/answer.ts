import type { Dispatcher } from 'undici'

/** What a registry answered; whoever gets it reads or discards the body. */
export interface Answer {
  status: number
  headers: Record<string, string | undefined>
  body: Dispatcher.ResponseData['body']
  /** Where it came from, after redirects. */
  url: URL
  retryAfterMs?: number
}
