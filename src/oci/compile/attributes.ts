import { KeelsonError } from '../../base/index.ts'
import { memoryPolicyArguments } from '../memory-policy.ts'
import { numberListMask } from '../number-list.ts'
import type { Operation } from '../plan/operations.ts'
import { ioPriorityNumber, schedulerAttributes } from '../scheduler.ts'
import type { Linux, Process } from '../spec.ts'

/** personality(2); LINUX is also what a container gets that names none, whatever its caller runs as. */
const domains: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 8 }

/**
 * How the program is scheduled and where its memory comes from. Close to its start, not at that of the child: a
 * process under SCHED_DEADLINE may not fork, and hooks should not run with what was meant for the program.
 */
export function compileAttributes(process: Process, linux: Linux | undefined, path = 'process'): Operation[] {
  const { personality, memoryPolicy } = linux ?? {}
  const { scheduler, ioPriority } = process
  return [
    ...(personality ? [{ op: 'setPersonality', domain: domainOf(personality) } as const] : []),
    ...(memoryPolicy ? [{ op: 'setMemoryPolicy', ...memoryPolicyArguments(memoryPolicy) } as const] : []),
    ...(scheduler
      ? [{ op: 'setScheduler', ...schedulerAttributes(scheduler, `${path}.scheduler`) } as const]
      : []),
    ...(ioPriority
      ? [{ op: 'setIoPriority', priority: ioPriorityNumber(ioPriority, `${path}.ioPriority`) } as const]
      : []),
  ]
}

function domainOf({ domain, flags }: NonNullable<Linux['personality']>): number {
  const number = Object.hasOwn(domains, domain) ? domains[domain] : undefined
  const path = number === undefined ? 'linux.personality.domain' : 'linux.personality.flags'
  if (number !== undefined && !flags?.length) return number
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: the specification has no such value`, {
    path,
    hint: number === undefined ? 'use LINUX or LINUX32' : 'leave the flags out',
  })
}

/**
 * The processors of an exec: `initial` holds while it joins, `final` from when it is in the container's cgroup.
 * Without either the cpuset of that cgroup decides, whatever the caller was bound to.
 */
export function compileExecAffinity({ execCPUAffinity = {} }: Process): {
  initial: Operation[]
  final: Operation[]
} {
  const { initial = '', final = '' } = execCPUAffinity
  const set = (list: string, name: string): Operation[] =>
    list === '' ? [] : [{ op: 'setAffinity', mask: numberListMask(list, `process.execCPUAffinity.${name}`) }]
  return {
    initial: set(initial, 'initial'),
    final: initial === '' && final === '' ? [{ op: 'resetAffinity' }] : set(final, 'final'),
  }
}
