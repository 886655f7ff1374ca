import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import test from 'ava'
import { parseSoftLimits, processTotals } from '../../../src/pod/metrics/process-totals.ts'

test('soft limits by their names; unlimited ones are left out', (t) => {
  const text = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 524288               files
Max realtime timeout      5                    unlimited            us
`
  t.deepEqual(
    [...parseSoftLimits(text)],
    [
      ['max_open_files', 1024n],
      ['max_realtime_timeout', 5n],
    ],
  )
})

test('files and sockets of all processes; one that is gone counts as holding nothing', async (t) => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const fd = openSync('/dev/null', 'r')
  try {
    const alone = await processTotals([process.pid])
    t.true(alone.sockets >= 1n && alone.files > alone.sockets)
    t.true(alone.softLimits.has('max_open_files'))
    const own = (await readdir(`/proc/${child.pid}/fd`)).length
    const child_ = await processTotals([child.pid ?? 0, 2 ** 22 + 5])
    t.like(child_, { processes: 2n, files: BigInt(own), sockets: 0n })
  } finally {
    closeSync(fd)
    child.kill()
    server.close()
  }
})
