import { readAll, readLines, type Transport, type TransportRequest } from '../../src/api/index.ts'

export interface RawAnswer {
  status: number
  headers: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
}

/** One request with a JSON body, answered with the parsed JSON (or the text where it is none). */
export async function call(
  transport: Transport,
  method: TransportRequest['method'],
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const [pathname = '', query = ''] = path.split('?')
  const raw = body instanceof Uint8Array || typeof body === 'string'
  const response = await transport.request({
    method,
    path: pathname,
    query: Object.fromEntries(new URLSearchParams(query)),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: Buffer.from(raw ? body : JSON.stringify(body)) }),
  })
  const text = (await readAll(response.body)).toString()
  return { status: response.status, headers: response.headers, body: parsed(text) }
}

/** The events of a watch, until `count` of them came. */
export async function watchEvents(
  transport: Transport,
  path: string,
  count: number,
  headers: Record<string, string> = {},
): Promise<RawAnswer['body'][]> {
  const [pathname = '', query = ''] = path.split('?')
  const response = await transport.request({
    method: 'GET',
    path: pathname,
    query: { ...Object.fromEntries(new URLSearchParams(query)), watch: '1' },
    headers,
  })
  const events = []
  for await (const line of readLines(response.body)) {
    events.push(JSON.parse(line))
    if (events.length === count) break
  }
  return events
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
