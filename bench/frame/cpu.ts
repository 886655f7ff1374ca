import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * CPU time of all that a turn sets in motion, by cgroup: this process sits in one group of a tree of its own, rows
 * put their containers and monitors into others of the same tree, and the tree's counter covers them all, whoever
 * their parent is. Nanoseconds on v1 (cpuacct.usage), microseconds on v2 (cpu.stat).
 */
export const benchCgroup = `/keelson-bench-${process.pid}`

const v1 = '/sys/fs/cgroup/cpuacct'
const v2 = '/sys/fs/cgroup'

const counted = new Set([benchCgroup])

/** Counts one more tree: that of a keelson instance, where its monitors are and what they run without a parent. */
export function countCgroup(path: string): void {
  counted.add(path)
}

/** Undefined where neither counter can be had. */
export function cpuMeter(): (() => bigint) | undefined {
  if (existsSync(join(v1, 'cpuacct.usage'))) {
    enter(v1)
    return () => sum((tree) => BigInt(readFileSync(join(v1, tree, 'cpuacct.usage'), 'utf8').trim()))
  }
  if (!existsSync(join(v2, 'cgroup.controllers'))) return undefined
  enter(v2)
  return () =>
    sum((tree) => {
      const usage = /^usage_usec (\d+)/m.exec(readFileSync(join(v2, tree, 'cpu.stat'), 'utf8'))?.[1] ?? '0'
      return BigInt(usage) * 1000n
    })
}

/** A tree that is not there has used nothing yet. */
function sum(read: (tree: string) => bigint): bigint {
  let total = 0n
  for (const tree of counted)
    try {
      total += read(tree)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  return total
}

function enter(root: string): void {
  const tree = join(root, benchCgroup)
  const own = join(tree, 'bench')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'cgroup.procs'), String(process.pid))
  process.once('exit', () => leave(root, tree, own))
}

/** Groups of children that still run stay; everything else goes. */
function leave(root: string, tree: string, own: string): void {
  try {
    writeFileSync(join(root, 'cgroup.procs'), String(process.pid))
    rmdirSync(own)
    rmdirSync(tree)
  } catch (error) {
    process.stderr.write(`bench: ${tree} is left behind: ${String(error)}\n`)
  }
}
