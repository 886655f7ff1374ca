import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasErrno, systemClock } from '../../src/base/index.ts'
import { planCgroup, readCgroupLayout, removeCgroup } from '../../src/oci/index.ts'

/**
 * CPU time of all that a turn sets in motion, by cgroup: this process sits in one group of a tree of its own, rows
 * put their containers and monitors into others of the same tree, and the tree's counter covers them all, whoever
 * their parent is.
 */
export const benchCgroup = `/keelson-bench-${process.pid}`

const counted = new Set([benchCgroup])

/** Counts one more tree: that of a keelson instance, where its monitors are and what they run without a parent. */
export function countCgroup(path: string): void {
  counted.add(path)
}

export interface CpuMeter {
  /** Nanoseconds so far. */
  read: () => bigint
  /** Goes back to where this process was, and removes the tree in every hierarchy. */
  leave: () => Promise<void>
}

/** Undefined where neither cpuacct.usage (v1) nor cpu.stat (v2) can be had. */
export function cpuMeter(): CpuMeter | undefined {
  const layout = readCgroupLayout()
  const v1 = layout.v1.find(({ controllers }) => controllers.includes('cpuacct'))
  const hierarchy = v1 ?? (layout.mode === 'v2' ? layout.v2 : undefined)
  if (!hierarchy) return undefined
  const { mountPoint } = hierarchy
  const own = join(mountPoint, benchCgroup, 'bench')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'cgroup.procs'), String(process.pid))
  const usage = v1 ? usageV1 : usageV2
  return {
    read: () => [...counted].reduce((total, tree) => total + usage(join(mountPoint, tree)), 0n),
    async leave() {
      writeFileSync(join(mountPoint, hierarchy.own, 'cgroup.procs'), String(process.pid))
      const { leaves } = planCgroup({ layout, path: benchCgroup })
      await removeCgroup(leaves, { clock: systemClock }).catch((error: unknown) =>
        process.stderr.write(`bench: ${benchCgroup} is left behind: ${String(error)}\n`),
      )
    },
  }
}

function usageV1(tree: string): bigint {
  return BigInt(readOrEmpty(join(tree, 'cpuacct.usage')).trim() || '0')
}

function usageV2(tree: string): bigint {
  return BigInt(/^usage_usec (\d+)/m.exec(readOrEmpty(join(tree, 'cpu.stat')))?.[1] ?? '0') * 1000n
}

/** A tree that is not there has used nothing yet. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return ''
    throw error
  }
}
