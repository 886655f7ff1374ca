/**
 * cgroup v2 paths at native speed: on a hybrid host the unified hierarchy is bound over the cgroup root in a mount
 * namespace of the test's own. Joining by clone, freezing and killing are real there; limits need controllers, which
 * hybrid hosts leave on v1.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { rootTest } from '../support/root.ts'

const unified = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1]
const scenario = fileURLToPath(new URL('cgroup-v2-scenario.ts', import.meta.url))

const title = 'v2 alone: cloned into its cgroup, frozen, killed at once, its devices governed by a program'
if (unified === undefined) test.skip(`${title} (no cgroup2 is mounted here)`, (t) => t.pass())
else
  rootTest(title, async (t) => {
    // Other mounts of the hierarchies may be reached by other paths: they go too, from this namespace only.
    const script = `
      mount --bind "$0" /sys/fs/cgroup
      sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* - cgroup2\\{0,1\\} .*/\\1/p' /proc/self/mountinfo |
        grep -vx /sys/fs/cgroup | while read -r path; do umount -l "$path" 2>/dev/null; done
      exec "$@"`
    const { stdout } = await promisify(execFile)('unshare', [
      ...['--mount', '--propagation', 'private', 'sh', '-c', script, unified],
      ...[process.execPath, '--import', 'tsx', scenario],
    ])
    const told = JSON.parse(stdout)
    t.like(told, { mode: 'v2', pids: 2, paused: 'paused', exitCode: 137, executed: { exitCode: 137 } })
    t.true(told.init.endsWith(`/${told.instance}/v2`), told.init)
    t.is(told.exec, told.init)
    t.like(told, { frozen: true, frozenFromOutside: 'paused' })
    t.deepEqual(told.moved, { passedOn: 'hugetlb', same: true, refused: 'EBUSY' })
    t.deepEqual(told.devices, {
      denied: { opened: false, null: true },
      allowed: { opened: true, null: true },
    })
    t.deepEqual(told.replaced, { first: [0, false], second: [0, true] })
    t.is(told.used, 'the container’s cgroup is not empty: N process(es); the other is created')
  })
