/**
 * The controllers of cgroup v2 that User-mode Linux lacks, by their effect: a machine that qemu computes, booted once,
 * in which a program of ours makes containers and tells what became of them. `make test-full` only: it takes a minute.
 */
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { engineTests } from '../support/engine-test.ts'
import { bundleForGuest } from '../support/guest.ts'
import { runInQemu } from '../support/qemu.ts'

const { present, engineTest } = engineTests(['qemu-system-x86_64', 'guest-kernel'], { isHeavy: true })
const scenario = fileURLToPath(new URL('cgroup-v2-controllers-scenario.ts', import.meta.url))

// biome-ignore lint/suspicious/noExplicitAny: what the scenario tells is judged field by field
let told: any = {}
test.before(async () => {
  if (!present) return
  await using program = await bundleForGuest(scenario)
  const outcome = await runInQemu([process.execPath, program.path], { timeoutMs: 170_000 })
  const { code, stdout, stderr, console } = outcome
  if (code !== 0) throw new Error(`the scenario ended with ${code}: ${stderr}\n${console}`)
  told = JSON.parse(stdout)
})

engineTest('cpuset: one CPU is what the container has, and two after an update', (t) => {
  t.deepEqual(told.cpuset, {
    allowed: { code: 0, said: '1\nCpus_allowed_list:\t1\n' },
    updated: { code: 0, said: '2\n' },
  })
})

engineTest('hugetlb: the second page is refused, and counted as such', (t) => {
  t.deepEqual(told.hugetlb.first, { code: 0, said: '' }, JSON.stringify(told.hugetlb))
  t.is(told.hugetlb.second.code, 1)
  t.regex(told.hugetlb.second.said, /No space left on device/)
  t.is(told.hugetlb.events, 'max 1')
})

engineTest('pressure: three loops on one CPU wait for each other, and the statistics say so', (t) => {
  t.true(told.pressure.waitedUs > 100_000, JSON.stringify(told.pressure))
  t.true(told.pressure.memory)
})

test.skip('misc: counts encrypted virtual machines (AMD SEV), which no machine computed here has', () => {})
test.skip('rdma: counts objects of network adapters that no machine computed here has', () => {})
