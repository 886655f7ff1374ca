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

/** Where CPU time is counted on this host; undefined where neither cpuacct.usage (v1) nor cpu.stat (v2) can be had. */
function counter(): { hierarchy: Hierarchy; usage: (tree: string) => bigint } | undefined {
  const layout = readCgroupLayout()
  const v1 = layout.v1.find(({ controllers }) => controllers.includes('cpuacct'))
  if (v1) return { hierarchy: v1, usage: usageV1 }
  return layout.mode === 'v2' && layout.v2 ? { hierarchy: layout.v2, usage: usageV2 } : undefined
}

interface Hierarchy {
  mountPoint: string
  own: string
}

/** Puts a process into a group (from the root), made when absent, that is only there to be counted. */
export function joinCpuGroup(group: string, pid: number): void {
  const found = counter()
  if (!found) return
  const directory = join(found.hierarchy.mountPoint, group)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'cgroup.procs'), String(pid))
}

/** Milliseconds that these groups and all below them have used so far; undefined where nothing counts. */
export function cpuMsOf(groups: readonly string[]): number | undefined {
  const found = counter()
  if (!found) return undefined
  const { hierarchy, usage } = found
  return Number(groups.reduce((sum, group) => sum + usage(join(hierarchy.mountPoint, group)), 0n)) / 1e6
}

export function cpuMeter(): CpuMeter | undefined {
  const found = counter()
  if (!found) return undefined
  const { hierarchy, usage } = found
  joinCpuGroup(`${benchCgroup}/bench`, process.pid)
  return {
    read: () => [...counted].reduce((total, tree) => total + usage(join(hierarchy.mountPoint, tree)), 0n),
    async leave() {
      writeFileSync(join(hierarchy.mountPoint, hierarchy.own, 'cgroup.procs'), String(process.pid))
      const { leaves } = planCgroup({ layout: readCgroupLayout(), path: benchCgroup })
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
