import { join } from 'node:path'
import { Cleanup, KeelsonError } from '../../base/index.ts'
import { type ImageStoreOptions, openImageStore } from '../open-store.ts'
import { answer } from './answers.ts'
import { Conversation, cancelled } from './connect.ts'
import type { ImageDoor } from './requests.ts'
import { serveDoor } from './serve.ts'

/** An owner that starts, or is about to leave, listens to nobody for a moment. */
const patienceMs = 10_000
const stepMs = 50

/**
 * A door to the image store of a data directory, whoever has it: opened here when nobody does (and then others' questions are
 * answered meanwhile), otherwise asked through the socket of the process that has it. Callers see no difference.
 */
export function reachImageStore(options: ImageStoreOptions): ImageDoor {
  const directory = join(options.dataDirectory, 'image')
  let here: ImageDoor | undefined
  const hurry = new AbortController() // whoever has given up waits for nobody else when it leaves
  return {
    async ask(verb, question, asking) {
      asking?.signal?.addEventListener('abort', () => hurry.abort(), { once: true })
      const found =
        here ?? (await openOrFind({ ...options, signal: hurry.signal }, directory, asking?.signal))
      if (!(found instanceof Conversation)) {
        here = found
        return await found.ask(verb, question, asking)
      }
      using conversation = found
      return await conversation.ask(verb, question, asking)
    },
    async [Symbol.asyncDispose]() {
      await here?.[Symbol.asyncDispose]()
    },
  }
}

async function openOrFind(
  options: ImageStoreOptions & { signal: AbortSignal },
  directory: string,
  signal: AbortSignal | undefined,
): Promise<ImageDoor | Conversation> {
  const { clock } = options
  const untilMs = clock.monotonicMs() + patienceMs
  for (;;) {
    if (signal?.aborted) throw cancelled(signal)
    try {
      return await openHere(options)
    } catch (error) {
      if (!isLocked(error)) throw error
      const owner = await Conversation.open(directory, clock, signal)
      if (owner) return owner
      if (clock.monotonicMs() > untilMs) throw error
    }
    await clock.sleep(stepMs)
  }
}

async function openHere(options: ImageStoreOptions & { signal: AbortSignal }): Promise<ImageDoor> {
  await using undo = new Cleanup()
  const store = await undo.use(openImageStore({ ...options, flushOnClose: true }))
  await undo.use(serveDoor(store, options))
  return Object.assign(undo.move(), {
    ask: ((verb, question, asking) => answer(store, verb, question, asking)) as ImageDoor['ask'],
  })
}

/** The lock's failure; a store of another version is FAILED_PRECONDITION as well, and stays one. */
function isLocked(error: unknown): boolean {
  return error instanceof KeelsonError && error.op === 'lock image store'
}
