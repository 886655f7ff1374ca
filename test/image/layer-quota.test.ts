/** Which project id a writable layer gets: never one that is given, or that something belongs to. */
import test from 'ava'
import fc from 'fast-check'
import { createLogger, silentLogger } from '../../src/base/index.ts'
import { LayerQuota } from '../../src/image/layer-quota.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** A disk with quotas: what belongs to which project, and its limit. */
class FakeQuota {
  readonly used = new Set<number>()
  readonly limits = new Map<number, number>()
  state = async () => ({ counts: true, limits: true })
  assign = async (_directory: string, id: number, bytesMax: number) => {
    if (this.used.has(id)) return false
    this.used.add(id)
    this.limits.set(id, bytesMax)
    return true
  }
  release = async (_directory: string, id: number) => {
    this.limits.delete(id)
  }
  usage = async (_directory: string, id: number) => ({ bytes: id, inodes: 1 })
}

const ids = { first: 10, count: 6 }
const open = (quota: FakeQuota, given: number[] = [], log = silentLogger) =>
  LayerQuota.open({ directory: '/d', ids, log, quota }, given)

test('ids are unique while given, within the range, and come back; all of them can be had', async (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('give' as const) }),
    fc.record({ kind: fc.constant('release' as const), at: fc.nat(10) }),
    fc.record({ kind: fc.constant('reopen' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 10, max: 15 })),
      fc.array(step),
      async (strange, steps) => {
        const disk = new FakeQuota()
        for (const id of strange) disk.used.add(id)
        let quota = await open(disk)
        const given: number[] = []
        for (const one of steps) {
          if (one.kind === 'reopen') quota = await open(disk, given)
          else if (one.kind === 'release') {
            const [id] = given.splice(one.at, 1)
            if (id !== undefined) disk.used.delete(id)
            if (id !== undefined) await quota.release(id)
          } else if (given.length + strange.length < ids.count) {
            const id = (await quota.give('/d/x', 0)) ?? 0
            t.true(id >= 10 && id < 16 && !given.includes(id) && !strange.includes(id))
            given.push(id)
          } else
            await t.throwsAsync(quota.give('/d/x', 5), {
              code: 'RESOURCE_EXHAUSTED',
              message: /from 10 to 15/,
            })
        }
        t.deepEqual([...disk.limits.keys()].toSorted(), given.toSorted())
      },
    ),
    { numRuns: 50 },
  )
})

test('where quotas cannot be set after all, a layer without a limit goes without, once told', async (t) => {
  const disk = new FakeQuota()
  let asked = 0
  disk.assign = async () => {
    asked += 1
    throw new Error('not permitted')
  }
  const lines: string[] = []
  const quota = await open(disk, [], createLogger({ write: (line) => lines.push(line), nowMs: () => 0 }))
  await t.throwsAsync(quota.give('/d/x', 5), { message: 'not permitted' })
  t.is(await quota.give('/d/x', 0), undefined)
  t.is(await quota.give('/d/x', 0), undefined)
  t.is(asked, 2)
  await t.throwsAsync(quota.give('/d/x', 5), { message: 'not permitted' }, 'a limit is tried again')
  t.is(lines.length, 1)
})

test('a disk without project quotas: nothing is given, and a limit is refused with what to do', async (t) => {
  await using folder = await temporaryDirectory()
  const quota = await LayerQuota.open({ directory: folder.path, ids, log: silentLogger }, [])
  t.false(quota.hasLimits)
  t.is(await quota.give(folder.path, 0), undefined)
  const error = await t.throwsAsync(quota.give(folder.path, 5), { code: 'FAILED_PRECONDITION' })
  t.regex(error.message, /a writable layer cannot be limited: the disk of .* has no project quotas/)
  t.regex(String(Reflect.get(error, 'hint')), /prjquota/)
})
