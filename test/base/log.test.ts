import test from 'ava'
import { createLogger } from '../../src/base/index.ts'

test('one JSON object a line, bindings first, below the level nothing', (t) => {
  const lines: string[] = []
  const log = createLogger({ write: (line) => lines.push(line), nowMs: () => 0, level: 'info' })
  const child = log.child({ pod: 'default/web' })
  child.debug('hidden')
  child.warn('slow', { ms: 12n, error: new Error('disk') })
  t.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      {
        time: '1970-01-01T00:00:00.000Z',
        level: 'warn',
        msg: 'slow',
        pod: 'default/web',
        ms: '12',
        error: 'disk',
      },
    ],
  )
  t.true(lines[0]?.endsWith('\n'))
})

test('text form carries the same fields', (t) => {
  const lines: string[] = []
  createLogger({ write: (line) => lines.push(line), nowMs: () => 0, format: 'text' }).info('ready', {
    port: 6443,
  })
  t.deepEqual(lines, ['1970-01-01T00:00:00.000Z info  ready port=6443\n'])
})
