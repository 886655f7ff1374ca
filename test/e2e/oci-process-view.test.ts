/** What a program is given by its runtime, beside runc's: everything that the kernel tells about it. */
import { readFileSync } from 'node:fs'
import test from 'ava'
import type { Spec } from '../../src/oci/spec.ts'
import { busyboxSpec, hasBusybox, makeBundle } from '../support/bundle.ts'
import { ociPrograms, type Program } from '../support/oci-programs.ts'
import { rootTest } from '../support/root.ts'

/** Sizes and counters of the moment; the rest of /proc/self/status is what a process was given. */
const momentary = /^(SigQ|Vm|Rss|HugetlbPages|FDSize|voluntary_ctxt|nonvoluntary_ctxt|x86_Thread)/

async function view(program: Program, change: (spec: Spec) => Spec): Promise<string[]> {
  using bundle = makeBundle(busyboxSpec(['/bin/cat', '/proc/self/status', '/proc/self/limits'], change))
  const id = `kt-view-${process.pid}`
  const { code, stdout, stderr } = await program.run(['run', '--bundle', bundle.path, id])
  if (code !== 0) throw new Error(`${program.name}: ${stderr}`)
  return stdout.split('\n').filter((line) => !momentary.test(line))
}

/**
 * runc hands on which signals its caller ignores (nohup, a make below some process managers); ours begin with none,
 * as the same comparison with a plain caller shows.
 */
function withoutInherited(lines: string[]): string[] {
  const ignored = (text: string) => BigInt(`0x${/^SigIgn:\t(\w+)/m.exec(text)?.[1] ?? '0'}`)
  const inherited = ignored(readFileSync('/proc/self/status', 'utf8'))
  return lines.map((line) => {
    if (!line.startsWith('SigIgn:')) return line
    return `SigIgn:\t${(ignored(line) & ~inherited).toString(16).padStart(16, '0')}`
  })
}

/** runc of Debian 12 knows versions up to 1.0.2. */
function plain(spec: Spec): Spec {
  return { ...spec, ociVersion: '1.0.2' }
}

function restricted(spec: Spec): Spec {
  const user = { uid: 1000, gid: 1000, additionalGids: [5, 7], umask: 0o27 }
  const rlimits = [
    { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
  ]
  return {
    ...plain(spec),
    process: { cwd: '/', ...spec.process, user, rlimits, noNewPrivileges: true },
    linux: { ...spec.linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
  }
}

const title = 'status and limits of a program: signals, ids, umask, capabilities, filter, as under runc'
const busyboxTest = hasBusybox
  ? rootTest
  : (name: string) => test.skip(`${name} (needs busybox-static)`, () => {})

busyboxTest(title, async (t) => {
  await using programs = await ociPrograms()
  for (const change of [plain, restricted]) {
    const ours = await view(programs.keelson, change)
    t.true(ours.includes('SigIgn:\t0000000000000000'))
    if (programs.runc) t.deepEqual(ours, withoutInherited(await view(programs.runc, change)))
    else t.log('SKIPPED in part: runc is not installed, so nothing is compared with it')
  }
})
