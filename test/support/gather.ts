import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** All text up to `end`. The consumers of Node also wait for `close`, which a half-open SPDY stream has not had yet. */
export async function gather(from: Readable): Promise<string> {
  let all = ''
  from.on('data', (chunk) => {
    all += chunk
  })
  await once(from, 'end')
  return all
}
