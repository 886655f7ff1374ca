import { mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { systemClock } from '../../../src/base/index.ts'
import { defaultUnpackLimits } from '../../../src/image/unpack/limits.ts'
import { UnpackPool } from '../../../src/image/unpack/pool.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const limits = defaultUnpackLimits

/** A thread that takes every message and never answers. */
const deafWorker = () =>
  new Worker("require('node:worker_threads').parentPort.on('message', () => undefined)", { eval: true })

test('a thread that does not stop when it is told to is ended, and the next job gets another', async (t) => {
  await using folder = await temporaryDirectory()
  const directory = join(folder.path, 'tree')
  mkdirSync(directory)
  await using file = await open(join(folder.path, 'archive'), 'w+')
  const clock = new FakeClock()
  const workers: Worker[] = []
  await using pool = new UnpackPool(clock, () => {
    const worker = deafWorker()
    workers.push(worker)
    return worker
  })
  for (const nth of [1, 2, 3]) {
    const unpacking = pool.start({ kind: 'layer', fd: file.fd, directory, limits })
    unpacking.grown(0, true)
    await clock.advance(60_000)
    unpacking.abort()
    await clock.advance(60_000)
    await t.throwsAsync(() => unpacking.result, { code: 'CANCELLED' })
    t.is(workers.length, nth)
  }
  t.is(clock.pending, 0)
})

rootTest('a thread that has much to read stops as soon as it is told to', async (t) => {
  await using folder = await temporaryDirectory()
  const directory = join(folder.path, 'tree')
  mkdirSync(directory)
  await using file = await open(join(folder.path, 'archive'), 'w+')
  const bytes = 2 ** 40
  await file.truncate(bytes)
  await using pool = new UnpackPool(new FakeClock())
  const endless = { ...limits, maxBytes: Number.POSITIVE_INFINITY }
  const unpacking = pool.start({ kind: 'layer', fd: file.fd, directory, limits: endless })
  unpacking.grown(bytes, true)
  await systemClock.sleep(500)
  unpacking.abort()
  await t.throwsAsync(() => unpacking.result, { code: 'CANCELLED' })
  const early = pool.start({ kind: 'layer', fd: file.fd, directory, limits: endless })
  early.abort()
  early.grown(bytes, true)
  await t.throwsAsync(() => early.result, { code: 'CANCELLED' })
})
