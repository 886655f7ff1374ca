import type { Clock } from '../../base/index.ts'
import type { Answer } from './answer.ts'
import { RegistryError, unreachable } from './failures.ts'

/** An answer must bring this much in each period, or its server counts as stalled: a byte now and then is no download. */
export interface Pace {
  clock: Clock
  periodMs: number
  bytes: number
}

/** The body as it comes. UNAVAILABLE when it breaks off or stalls. */
export async function* chunksOf(answer: Answer, from: string, pace: Pace): AsyncIterable<Buffer> {
  const { body } = answer
  let received = 0
  let seen = 0
  let cancel: () => void = () => undefined
  const watch = () => {
    cancel = pace.clock.after(pace.periodMs, () => {
      if (received - seen < pace.bytes) body.destroy(stalled(from, pace.periodMs))
      seen = received
      watch()
    })
  }
  watch()
  try {
    for await (const chunk of body) {
      received += (chunk as Buffer).length
      yield chunk as Buffer
    }
  } catch (error) {
    throw unreachable(error, from)
  } finally {
    cancel()
  }
}

/** A small body whole. DATA_LOSS above the limit, UNAVAILABLE when it takes longer than one period. */
export async function readBytes(answer: Answer, maxBytes: number, from: string, pace: Pace): Promise<Buffer> {
  const announced = Number(answer.headers['content-length'] ?? 0)
  const tooLarge = () =>
    new RegistryError('DATA_LOSS', `registry ${from}: a document of more than ${maxBytes} bytes`)
  const parts: Buffer[] = []
  let size = 0
  if (announced > maxBytes) answer.body.destroy()
  if (announced > maxBytes) throw tooLarge()
  for await (const part of chunksOf(answer, from, { ...pace, bytes: maxBytes })) {
    size += part.length
    if (size > maxBytes) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** Lets an answer go that nobody wants to read, and keeps its connection if little is left of it and that comes in time. */
export async function discard({ body }: Answer, { clock, periodMs }: Pace): Promise<void> {
  const cancel = clock.after(periodMs, () => body.destroy())
  await body.dump({ limit: 16 * 1024 }).catch(() => undefined)
  cancel()
}

function stalled(from: string, periodMs: number): RegistryError {
  const seconds = Math.round(periodMs / 1000)
  return new RegistryError('UNAVAILABLE', `registry ${from} stalls: next to nothing came for ${seconds} s`, {
    isTransient: true,
    hint: 'check the network, or use a mirror',
  })
}
