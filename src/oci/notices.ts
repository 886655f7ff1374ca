import { readFileSync } from 'node:fs'
import { capabilityMasks } from './capabilities.ts'
import { compileLandlock } from './compile/landlock.ts'
import type { HostFacts } from './host-facts.ts'
import { parseLandlock } from './landlock.ts'
import { parseMountOptions } from './mount-options.ts'
import { containerFilter } from './seccomp/index.ts'
import { shown } from './shown.ts'
import type { Process, Spec } from './spec.ts'

/** What is done otherwise than it was asked for, where the specification lets a container run all the same. */
export function noticesOf(spec: Spec, host: HostFacts): string[] {
  const { process, mounts = [], annotations, linux } = spec
  const { unknown } = capabilityMasks(process?.capabilities)
  const landlock = parseLandlock(annotations)
  const { ignored = [] } = containerFilter({ ...spec, bundle: '/', host }) ?? {}
  return [
    ...(unknown.length > 0 ? [`unknown capabilities are left out: ${unknown.join(', ')}`] : []),
    ...(ignored.length > 0 ? [`unknown system calls are left out: ${ignored.join(', ')}`] : []),
    ...mounts.flatMap(({ destination, type = 'tmpfs', options }, index) => [
      ...(destination.startsWith('/')
        ? []
        : [`mounts[${index}].destination: ${shown(destination)} is relative and taken as /${destination}`]),
      ...(parseMountOptions(options).tmpcopyup && type !== 'tmpfs'
        ? [`mounts[${index}].options: tmpcopyup has no effect on ${type}`]
        : []),
    ]),
    ...(mounts.length > 0 && linux?.namespaces?.some(({ type, path }) => type === 'mount' && path)
      ? ['mounts, masked and read-only paths are as they are in the mount namespace that is joined']
      : []),
    ...(landlock ? compileLandlock(landlock, host.landlockAbi).notices : []),
  ]
}

/**
 * Lowering the score needs CAP_SYS_RESOURCE, or to have been higher before. keelson-init keeps what it has when the
 * kernel refuses; whether it did is to be seen on the process alone.
 */
export function noticeOfOomScore(process: Process | undefined, pid: number): string | undefined {
  const wanted = process?.oomScoreAdj
  if (wanted === undefined) return undefined
  const score = readScore(pid)
  if (score === undefined || score === wanted) return undefined
  return oomScoreNotice(wanted, String(score))
}

export function oomScoreNotice(wanted: number, score: string): string {
  return `process.oomScoreAdj: ${wanted} needs CAP_SYS_RESOURCE, the process keeps ${score}`
}

function readScore(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'))
  } catch {
    return undefined // it has ended meanwhile
  }
}
