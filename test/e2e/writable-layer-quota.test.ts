/**
 * Writable layers on a disk with project quotas. Kernels with such quotas are rare where tests run, so a User-mode
 * Linux machine has one: what was counted and refused there is judged here.
 */
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { engineTests } from '../support/engine-test.ts'
import { bundleForGuest } from '../support/guest.ts'
import { runInUml } from '../support/uml.ts'

const { present, engineTest } = engineTests(['user-mode-linux'])
const scenario = fileURLToPath(new URL('writable-layer-quota-scenario.ts', import.meta.url))

// biome-ignore lint/suspicious/noExplicitAny: what the scenario tells is judged field by field
let told: any
test.before(async () => {
  if (!present) return
  await using program = await bundleForGuest(scenario)
  const { code, stdout, stderr, console } = await runInUml([process.execPath, program.path], {
    timeoutMs: 120_000,
  })
  if (code !== 0) throw new Error(`the scenario ended with ${code}: ${stderr}\n${console}`)
  told = JSON.parse(stdout)
})

const MiB = 2 ** 20

engineTest('a disk says whether it counts by project, and whether it limits', (t) => {
  t.deepEqual(told.states, {
    plain: { counts: false, limits: false },
    counted: { counts: true, limits: false },
    limited: { counts: true, limits: true },
  })
})

engineTest(
  'a writable layer is held to its size, the privileged too, and can be used again after a removal',
  (t) => {
    t.is(told.fits.code, 0, told.fits.said)
    t.not(told.tooMuch.code, 0)
    t.regex(told.tooMuch.said, /Disk quota exceeded/)
    t.true(told.full.bytes > 3.9 * MiB && told.full.bytes <= 4 * MiB, JSON.stringify(told.full))
    t.is(told.freed.code, 0, told.freed.said)
    t.is(told.unlimited.code, 0, told.unlimited.said)
    t.is(told.sizeBytes, 4 * MiB, 'what df shows inside')
  },
)

engineTest('what it takes is read from the quota, and is what a walk finds', (t) => {
  const { inside, walked } = told
  t.true(
    inside.bytes >= walked.bytes && inside.bytes <= walked.bytes + 32_768,
    JSON.stringify({ inside, walked }),
  )
  t.true(inside.inodes >= walked.inodes && inside.inodes <= walked.inodes + 6)
})

engineTest(
  'ids are found again after a crash, come back with the last file, and take no limit along',
  (t) => {
    t.deepEqual(told.ids, [5000, 5001, 5002])
    t.false(told.found.stray, 'what was not recorded is gone')
    t.true(told.found.a.bytes > 2 * MiB && told.found.b.bytes > 8 * MiB, JSON.stringify(told.found))
    t.is(told.limitedWithoutId, 'RESOURCE_EXHAUSTED')
    t.is(told.none, 0, 'without a limit: counted by walking')
    t.is(told.again, 5000)
    t.deepEqual(told.removed, { bytes: 0, inodes: 0 })
    t.is(told.noLimit.code, 0, told.noLimit.said)
    t.deepEqual(told.left, Array(3).fill({ bytes: 0, inodes: 0 }))
  },
)
