import { largestId } from '../id-mappings.ts'
import { compileRlimits } from '../rlimits.ts'
import type { Process } from '../spec.ts'
import { fail, shown } from './fail.ts'

/** config.md, "Process" and "POSIX process": what the shape alone cannot say. */
export function checkProcess(program: Process, path: string): void {
  const { args, cwd, env, rlimits } = program
  if (!args?.length) fail(`${path}.args`, 'no program is given', 'write the program and its arguments')
  if (args[0] === '') fail(`${path}.args[0]`, 'the program’s name is empty', 'write the program to run')
  if (!cwd.startsWith('/'))
    fail(`${path}.cwd`, `${shown(cwd)} is not absolute`, 'write a path that starts with /')
  env?.forEach((entry, index) => {
    if (!/^[^=]+=/.test(entry))
      fail(`${path}.env[${index}]`, `${shown(entry)} is not NAME=VALUE`, 'write NAME=VALUE')
  })
  checkUser(program, path)
  compileRlimits(rlimits)
  rlimits?.forEach(({ type, soft, hard }, index) => {
    if (hard >= 0 && soft > hard)
      fail(`${path}.rlimits[${index}]`, `${type}: soft is above hard`, 'lower soft or raise hard')
  })
  checkScheduler(program, path)
}

function checkUser({ user }: Process, path: string): void {
  if (!user) return
  const ids: [string, number | undefined][] = [
    ['uid', user.uid],
    ['gid', user.gid],
    ...(user.additionalGids ?? []).map((gid, index): [string, number] => [`additionalGids[${index}]`, gid]),
  ]
  for (const [name, id] of ids)
    if (id !== undefined && (id < 0 || id > largestId))
      fail(`${path}.user.${name}`, `${id} is no id`, `use 0 to ${largestId}`)
  if (user.umask !== undefined && (user.umask < 0 || user.umask > 0o777))
    fail(`${path}.user.umask`, `${user.umask} is no umask`, 'use 0 to 511 (0777 in octal)')
}

/** sched_setattr(2): each policy has its own numbers, and the kernel would only say EINVAL. */
function checkScheduler({ scheduler }: Process, path: string): void {
  if (!scheduler) return
  const { policy, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler as Record<string, number>
  const at = `${path}.scheduler`
  const isRealTime = ['SCHED_FIFO', 'SCHED_RR'].includes(String(policy))
  if (isRealTime && (priority < 1 || priority > 99))
    fail(`${at}.priority`, `${priority} is out of range for ${policy}`, 'use 1 to 99')
  if (!isRealTime && priority !== 0)
    fail(`${at}.priority`, `${policy} has no priority`, 'leave it out, or use SCHED_FIFO or SCHED_RR')
  if (String(policy) !== 'SCHED_DEADLINE' && (runtime || deadline || period))
    fail(at, `${policy} has no runtime, deadline or period`, 'leave them out, or use SCHED_DEADLINE')
  if (String(policy) === 'SCHED_DEADLINE' && !(runtime <= deadline && (period === 0 || deadline <= period)))
    fail(at, 'runtime, deadline and period are not in this order', 'let runtime ≤ deadline ≤ period')
}
