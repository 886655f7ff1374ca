import { readFileSync } from 'node:fs'
import test from 'ava'
import { bootId } from '../../../src/base/index.ts'
import { rehearse } from '../../../src/cli/oci/rehearsal.ts'
import { originalFileLimit } from '../../../src/kernel/index.ts'

test.serial('every command goes through to its end, so that all of its code has run', async (t) => {
  t.deepEqual(await rehearse(), [0, 0, 0])
})

test.serial('nothing of the machine is remembered, and the addon is the real one again', async (t) => {
  await rehearse()
  t.is(bootId(), readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  t.not(originalFileLimit().hard, 4096n)
})
