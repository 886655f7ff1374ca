/**
 * `oci-parallel`: a thousand containers, a hundred at a time, each created, run to its end and deleted. The clock stops
 * when the last cgroup and the last network namespace are gone; mounts end with their namespace.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { systemClock } from '../../src/base/index.ts'
import type { Row } from '../frame/bench.ts'
import { removeOne, type Stage, startOne, waitWell } from './stage.ts'

const containers = 1000
const atOnce = 100
const slab = '/sys/kernel/slab/net_namespace'
const goneMs = 10_000

export function parallelRow(stage: Stage, notice: (text: string) => void): Row {
  if (!existsSync(slab))
    notice('oci-parallel: this kernel does not tell how many network namespaces there are')
  return {
    id: 'oci-parallel',
    variant: 'keelson',
    version: stage.version,
    unit: 'ops/s',
    every: 20,
    async run() {
      const before = networkNamespaces()
      const startMs = performance.now()
      let left = containers
      const worker = async () => {
        while (left-- > 0) {
          const container = await startOne(stage, ['/bin/true'])
          await waitWell(container)
          await removeOne(stage, container)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, worker))
      await untilGone(before)
      return containers / ((performance.now() - startMs) / 1000)
    },
  }
}

/** The kernel ends network namespaces in the background, in batches. */
async function untilGone(before: number): Promise<void> {
  const deadlineMs = performance.now() + goneMs
  while (networkNamespaces() > before) {
    if (performance.now() > deadlineMs) throw new Error(`network namespaces are left after ${goneMs} ms`)
    await systemClock.sleep(5)
  }
}

/** The allocator's count; shrinking first gives back what it only keeps for the next one. */
function networkNamespaces(): number {
  if (!existsSync(slab)) return 0
  writeFileSync(`${slab}/shrink`, '1')
  return Number.parseInt(readFileSync(`${slab}/objects`, 'utf8'), 10)
}
