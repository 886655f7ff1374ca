/** What a command line that refuses has to say and to leave. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Outcome, Program } from './oci-programs.ts'

export function refused(t: ExecutionContext, { code, stderr }: Outcome, message: RegExp, expected = 1): void {
  t.is(code, expected, stderr)
  t.regex(stderr, /^keelson-oci: [^\n]+\n$/, 'one line')
  t.regex(stderr, message)
  t.true(stderr.length < 2000, `${stderr.length} characters`)
}

/** What is still there of a container that should be gone: state, cgroups, mounts. */
export function tracesOf({ stateRoot }: Program, id: string): string[] {
  const groups = readdirSync('/sys/fs/cgroup').filter((name) => existsSync(join('/sys/fs/cgroup', name, id)))
  return [
    ...(existsSync(join(stateRoot, id)) ? ['state'] : []),
    ...groups,
    ...(readFileSync('/proc/self/mountinfo', 'utf8').includes(id) ? ['a mount'] : []),
  ]
}
