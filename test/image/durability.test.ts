/** Marks of what may not be on disk yet: they come with every blob that is written, and go with the flush after it. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { Settler } from '../../src/image/durability.ts'
import { openImageStore } from '../../src/image/index.ts'
import { Records } from '../../src/image/records.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { file, tar } from '../support/archive.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startHostileRegistry } from '../support/hostile-registry.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

rootTest('blobs that come back after a repair are marked again', async (t) => {
  await using registry = await startHostileRegistry([await tar(file('x'))])
  await using data = await temporaryDirectory()
  const marks = async () => {
    await using ledger = await openLedger({ path: join(data.path, 'image/metadata') })
    return [...ledger.range({ start: 'unsynced/', end: 'unsynced0' })].map(([key]) => key.slice(9))
  }
  const pull = async (flushOnClose: boolean) => {
    await using store = await openImageStore({
      dataDirectory: data.path,
      log: silentLogger,
      clock: systemClock,
      flushOnClose,
    })
    await store.pull(registry.reference)
  }
  await pull(true)
  t.deepEqual(await marks(), [])
  await pull(false)
  t.deepEqual(await marks(), [], 'nothing was written')
  const blobs = join(data.path, 'image/blobs/sha256')
  for (const name of readdirSync(blobs)) {
    rmSync(join(blobs, name))
    await pull(false)
    t.deepEqual(await marks(), [registry.config])
    await pull(true)
    t.deepEqual(await marks(), [])
  }
})

ava('what is marked anew while the disk is being flushed stays marked', async (t) => {
  await using data = await temporaryDirectory()
  await using records = new Records(await openLedger({ path: join(data.path, 'metadata') }))
  const clock = new FakeClock()
  const settler = new Settler({ records, directory: data.path, clock, log: silentLogger, flushOnClose: true })
  const mark = (key: string) => records.commit([{ put: 'unsynced', key, record: { boot: 'now' } }])
  await mark('a')
  await mark('b')
  const flushed = settler[Symbol.asyncDispose]()
  await mark('b')
  await flushed
  t.deepEqual([...records.unsynced.keys()], ['b'])
})
