import { appendFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { LineSplitter, parseLogLine } from '../../../src/kubelet/server/log-line.ts'
import { parseLogQuery } from '../../../src/kubelet/server/log-options.ts'
import { type LogOptions, readLog } from '../../../src/kubelet/server/log-reader.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

const all: LogOptions = {
  follow: false,
  timestamps: false,
  sinceMs: undefined,
  tailLines: undefined,
  limitBytes: undefined,
  stream: undefined,
}

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.123456789Z`
const entry = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `${at(second)} ${stream} ${tag} ${text}\n`

async function log(t: ExecutionContext, text: string) {
  const path = join(await scratchDirectory(t), '0.log')
  await writeFile(path, text)
  return path
}

const ended = (path: string) => ({ path, isRunning: async () => false, onChange: () => () => undefined })

async function read(path: string, options: Partial<LogOptions>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of readLog(ended(path), { ...all, ...options }, new AbortController().signal))
    chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const three = entry(1, 'one') + entry(2, 'two', 'stderr') + entry(3, 'three')

test('contents, with and without time stamps', async (t) => {
  const path = await log(t, three)
  t.is(await read(path, {}), 'one\ntwo\nthree\n')
  t.is(await read(path, { timestamps: true }), `${at(1)} one\n${at(2)} two\n${at(3)} three\n`)
})

test('tail, since, limit, one stream', async (t) => {
  const path = await log(t, three)
  t.is(await read(path, { tailLines: 2 }), 'two\nthree\n')
  t.is(await read(path, { tailLines: 0 }), '')
  t.is(await read(path, { tailLines: 99 }), 'one\ntwo\nthree\n')
  t.is(await read(path, { sinceMs: Date.parse(at(2)) }), 'two\nthree\n')
  t.is(await read(path, { limitBytes: 6 }), 'one\ntw')
  t.is(await read(path, { stream: 'stderr' }), 'two\n')
})

test('parts of a long line are one line', async (t) => {
  const path = await log(
    t,
    entry(1, 'aaa', 'stdout', 'P') + entry(1, 'bbb', 'stdout', 'F') + entry(2, '', 'stdout', 'F'),
  )
  t.is(await read(path, {}), 'aaabbb\n\n')
})

test('what is no entry is left out; a torn last line is not shown', async (t) => {
  const path = await log(t, `rubbish\n${entry(1, 'fine')}${at(2)} stdout F torn`)
  t.is(await read(path, {}), 'fine\n')
})

test('no log yet is an empty log', async (t) => {
  t.is(await read(join(await scratchDirectory(t), 'none.log'), {}), '')
})

test('the tail of a log larger than any buffer', async (t) => {
  const lines = Array.from({ length: 5000 }, (_, index) =>
    entry(1, `line ${index} ${'x'.repeat(index % 97)}`),
  )
  const path = await log(t, lines.join(''))
  const tail = await read(path, { tailLines: 3001 })
  t.is(tail.split('\n').length - 1, 3001)
  t.true(tail.startsWith('line 1999 '))
})

test('following: later lines, then the end with the container; also what it wrote last', async (t) => {
  const path = await log(t, entry(1, 'early'))
  let running = true
  let tell = () => {}
  const source = {
    path,
    isRunning: async () => running,
    onChange: (callback: () => void) => {
      tell = callback
      return () => undefined
    },
  }
  const seen: string[] = []
  const reading = (async () => {
    for await (const chunk of readLog(source, { ...all, follow: true }, new AbortController().signal))
      seen.push(chunk.toString())
  })()
  const until = async (count: number) => {
    while (seen.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until(1)
  await appendFile(path, entry(2, 'later'))
  await until(2)
  await rename(path, `${path}.1`)
  await appendFile(`${path}.1`, entry(3, 'old file'))
  await writeFile(path, entry(4, 'new file'))
  await until(4)
  await appendFile(path, entry(5, 'last words'))
  running = false
  tell()
  await reading
  t.deepEqual(seen, ['early\n', 'later\n', 'old file\n', 'new file\n', 'last words\n'])
})

test('a follower that leaves ends the reading', async (t) => {
  const path = await log(t, entry(1, 'x'))
  const leave = new AbortController()
  const source = { path, isRunning: async () => true, onChange: () => () => undefined }
  const reading = (async () => {
    for await (const _ of readLog(source, { ...all, follow: true }, leave.signal)) leave.abort()
  })()
  await t.notThrowsAsync(reading)
})

test('the query: numbers are checked, sinceTime and sinceSeconds give one moment', (t) => {
  const query = (text: string) => parseLogQuery(new URLSearchParams(text), 100_000)
  t.like(query('follow=true&tailLines=5&previous=1&timestamps=false'), {
    follow: true,
    tailLines: 5,
    previous: true,
    timestamps: false,
  })
  t.is(query('sinceSeconds=10').sinceMs, 90_000)
  t.is(query('sinceTime=1970-01-01T00:00:05Z').sinceMs, 5000)
  t.is(query('stream=Stderr').stream, 'stderr')
  for (const bad of ['tailLines=-1', 'limitBytes=x', 'sinceTime=yesterday', 'sinceSeconds=1.5'])
    t.throws(() => query(bad), { message: new RegExp(bad.split('=')[0] ?? '') }, bad)
})

test('property: lines are the same however the bytes are cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 12 })),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${text.replaceAll('\n', ' ')}\n`).join(''))
        const splitter = new LineSplitter()
        const lines: string[] = []
        let position = 0
        for (let i = 0; position < bytes.length; i++) {
          const size = cuts.length === 0 ? bytes.length : (cuts[i % cuts.length] ?? 1)
          lines.push(...splitter.push(bytes.subarray(position, position + size)).map(String))
          position += size
        }
        t.deepEqual(
          lines,
          texts.map((text) => text.replaceAll('\n', ' ')),
        )
      },
    ),
  )
})

test('property: an entry that was written is read as it was; rubbish never throws', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom('stdout', 'stderr'),
      fc.boolean(),
      (bytes, stream, partial) => {
        const head = Buffer.from(`${at(1)} ${stream} ${partial ? 'P' : 'F'} `)
        const parsed = parseLogLine(Buffer.concat([head, bytes]))
        t.deepEqual(parsed, { time: at(1), stream: stream as 'stdout', partial, content: Buffer.from(bytes) })
      },
    ),
  )
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseLogLine(Buffer.from(bytes))))
  t.pass()
})
