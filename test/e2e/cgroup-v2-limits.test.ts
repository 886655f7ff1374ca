/**
 * Pure cgroup v2 with its controllers, which hybrid hosts do not have: a User-mode Linux machine, booted once, in
 * which programs of ours make containers and tell what their limits did.
 */
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { engineTests } from '../support/engine-test.ts'
import { bundleForGuest } from '../support/guest.ts'
import { runInUml } from '../support/uml.ts'

const { present, engineTest } = engineTests(['user-mode-linux'])
const source = (name: string) => fileURLToPath(new URL(name, import.meta.url))

// biome-ignore lint/suspicious/noExplicitAny: what the scenarios tell is judged field by field
let [told, life]: any[] = []
test.before(async () => {
  if (!present) return
  await using limits = await bundleForGuest(source('cgroup-v2-limits-scenario.ts'))
  await using other = await bundleForGuest(source('cgroup-v2-scenario.ts'))
  const command = ['sh', '-c', '"$0" "$1" && "$0" "$2"', process.execPath, limits.path, other.path]
  const { code, stdout, stderr, console } = await runInUml(command, { timeoutMs: 150_000 })
  if (code !== 0) throw new Error(`the scenarios ended with ${code}: ${stderr}\n${console}`)
  ;[told, life] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
})

engineTest(
  'memory: a container over its limit is killed and said to be; so is an exec, and init lives on',
  (t) => {
    t.deepEqual(told.memory, { exitCode: 137, oomKilled: true, part: 137, kills: 1, status: 'running' })
  },
)

engineTest('cpu: a fifth of a CPU is a fifth, an update makes it three', (t) => {
  const { limited, updated } = told.cpu
  t.true(limited.share > 0.1 && limited.share < 0.3, JSON.stringify(told.cpu))
  t.true(limited.throttled > 0)
  t.true(updated.share > 0.4 && updated.share < 0.75, JSON.stringify(told.cpu))
})

engineTest('pids: fork fails at the limit, and works once it is raised', (t) => {
  const { limited, refused, updated } = told.pids
  t.regex(limited.said, /can't fork/, JSON.stringify(told.pids))
  t.true(refused > 0)
  t.is(updated.said, 'all\n')
})

engineTest('io: two mebibytes at one per second take their time', (t) => {
  t.is(told.io.code, 0, JSON.stringify(told.io))
  t.true(told.io.tookMs > 1500 && told.io.tookMs < 10_000, JSON.stringify(told.io))
})

engineTest('freeze: nothing moves while it is paused, all of it afterwards', (t) => {
  t.deepEqual(told.freeze, { stands: true, goesOn: true })
})

engineTest('kill --all ends what only the cgroup knows of', (t) => {
  t.deepEqual(told.kill, { exitCode: 137 })
})

engineTest('exec into a container whose init made sub-cgroups', (t) => {
  t.is(told.subCgroups.init, 'moved', JSON.stringify(told.subCgroups))
  t.deepEqual(told.subCgroups.exec, { code: 0, said: '0::/init\n' })
})

engineTest('60 layers on a kernel without lowerdir+', (t) => {
  t.deepEqual(told.layers, { seen: '60', upper: true })
})

engineTest('unified resources are written, and the container sees its cgroup as the root', (t) => {
  t.deepEqual(told.unified, { high: '50331648', pids: '17', view: '0::/' })
})

engineTest('placed, frozen and killed as on other v2 hosts; devices are governed by a program', (t) => {
  t.like(life, { mode: 'v2', paused: 'paused', frozen: true, frozenFromOutside: 'paused', exitCode: 137 })
  t.true(life.init.endsWith(`/${life.instance}/v2`), life.init)
  t.is(life.exec, life.init)
  t.deepEqual(life.devices, { denied: { opened: false, null: true }, allowed: { opened: true, null: true } })
  t.deepEqual(life.replaced, { first: [0, false], second: [0, true] })
})
