import { largestId } from '../id-mappings.ts'
import { numberListMask } from '../number-list.ts'
import { compileRlimits } from '../rlimits.ts'
import { ioPriorityNumber, schedulerAttributes } from '../scheduler.ts'
import { shown } from '../shown.ts'
import type { Process } from '../spec.ts'
import { fail } from './fail.ts'

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
  checkScheduling(program, path)
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

/** What compiling would refuse: the kernel would only say EINVAL. */
function checkScheduling({ scheduler, ioPriority, execCPUAffinity }: Process, path: string): void {
  if (scheduler) schedulerAttributes(scheduler, `${path}.scheduler`)
  if (ioPriority) ioPriorityNumber(ioPriority, `${path}.ioPriority`)
  for (const name of ['initial', 'final'] as const)
    if (execCPUAffinity?.[name] !== undefined)
      numberListMask(execCPUAffinity[name], `${path}.execCPUAffinity.${name}`)
}
