/** `cri-parallel10`: two hundred pods, ten at a time, each brought up, stopped and removed. */
import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/base/index.ts'
import type { Row } from '../frame/row.ts'
import { startNamespaceMarker } from '../oci/namespace-marker.ts'
import type { Side } from './side.ts'

const pods = 200
const atOnce = 10
const pollMs = 2
const deadlineMs = 30_000

/** The clock stops when the last cgroup, the last mount that the server sees and the last network namespace is gone. */
export function parallelRow(side: Side): Row {
  return {
    id: 'cri-parallel10',
    variant: side.variant,
    version: side.version,
    unit: 'ops/s',
    every: side.variant === 'keelson' ? 10 : 30,
    async run() {
      await using marker = await startNamespaceMarker(systemClock)
      const mountsBefore = mountCount(side.pid)
      const startMs = performance.now()
      let left = pods
      const worker = async () => {
        while (left-- > 0) await side.pods.down(await side.pods.up())
      }
      await Promise.all(Array.from({ length: atOnce }, worker))
      await until(() => mountCount(side.pid) <= mountsBefore && !side.pods.hasGroups())
      await marker.end()
      return pods / ((performance.now() - startMs) / 1000)
    },
    after: async () => side.pods.removeParents(),
  }
}

function mountCount(pid: number): number {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n').length
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!done()) {
    if (performance.now() > endMs) throw new Error(`a mount or a cgroup is left after ${deadlineMs} ms`)
    await systemClock.sleep(pollMs)
  }
}
