import type { Answer } from './answer.ts'
import { readBytes } from './body.ts'
import { type RegistryError, refusal } from './failures.ts'
import type { Source } from './source.ts'

const maxTextBytes = 64 * 1024

/** Why, in the registry's words where it has some; whatever else it sends is not waited for. */
export async function refused(
  answer: Answer,
  what: string,
  { endpoint, connection }: Source,
): Promise<RegistryError> {
  const text = await readBytes(answer, maxTextBytes, endpoint.name, connection.pace).catch(() =>
    Buffer.alloc(0),
  )
  return refusal(answer, what, endpoint.name, text.toString('utf8'))
}
