/** Started by the kill -9 test: creates 1,000 objects at once and prints each key once it is acknowledged. */
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { openStore } from '../../../src/control/store/index.ts'

const store = await openStore({ path: process.argv[2] ?? '', clock: systemClock, log: silentLogger })
for (let round = 0; ; round++)
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => create(`${round}-${i}`)))

async function create(name: string): Promise<void> {
  await systemClock.sleep(Math.random() * 50)
  const value = Buffer.alloc(512, 'x')
  await store.transact({
    when: [{ key: `object/${name}`, modRevision: 0 }],
    writes: [
      { put: `object/${name}`, value },
      { put: `twin/${name}`, value },
    ],
  })
  process.stdout.write(`object/${name}\n`) // a full pipe makes it wait; what is not out by the end was not told
}
