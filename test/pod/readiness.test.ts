import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { Readiness } from '../../src/pod/readiness.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const hierarchy = (mountPoint: string) => ({ mountPoint, controllers: [] })

async function scene() {
  const folder = await temporaryDirectory()
  const clock = new FakeClock()
  const store = { lastCommit: Promise.resolve() as Promise<unknown> }
  const cgroupLayout = { mode: 'v2' as const, v1: [], v2: hierarchy(folder.path) }
  let places = 0
  const images = {
    filesystem: async () => {
      places++
      return { mountpoint: folder.path, usedBytes: 0, inodesUsed: 0 }
    },
  }
  const parts = { filesDirectory: folder.path, cgroupLayout, images, store, clock }
  const readiness = new Readiness(parts as never)
  return { folder, clock, store, cgroupLayout, readiness, parts, places: () => places }
}

test('well, and looked at again only after a while', async (t) => {
  const { folder, clock, store, readiness, places } = await scene()
  const well = { status: true, reason: '', message: '' }
  t.deepEqual(await readiness.condition(), well)
  store.lastCommit = Promise.reject(new Error('no space left on device'))
  store.lastCommit.catch(() => undefined)
  t.deepEqual(await readiness.condition(), well)
  await clock.advance(10_000)
  t.deepEqual(await readiness.condition(), {
    status: false,
    reason: 'RecordsNotWritable',
    message: 'no space left on device',
  })
  store.lastCommit = Promise.resolve()
  t.deepEqual(await readiness.condition(), well, 'what is wrong is looked at each time')
  t.is(places(), 1)
  await folder[Symbol.asyncDispose]()
})

test('each part that is missing has a reason of its own', async (t) => {
  const { folder, cgroupLayout, parts } = await scene()
  const reasonOf = async (changed: object) =>
    (await new Readiness({ ...parts, ...changed } as never).condition()).reason
  const absent = join(folder.path, 'absent')
  t.is(await reasonOf({ filesDirectory: absent }), 'RunDirectoryNotWritable')
  t.is(await reasonOf({ cgroupLayout: { ...cgroupLayout, v2: hierarchy(absent) } }), 'CgroupsNotWritable')
  const images = { filesystem: async () => ({ mountpoint: absent, usedBytes: 0, inodesUsed: 0 }) }
  t.is(await reasonOf({ images }), 'ImageStoreNotWritable')
  t.false(await new Readiness({ ...parts, images } as never).userNamespaces())
  await rm(folder.path, { recursive: true })
})
