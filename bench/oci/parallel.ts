/**
 * `oci-parallel`: a thousand containers, a hundred at a time, each created, run to its end and deleted. The clock stops
 * when the last cgroup and the last network namespace are gone; mounts end with their namespace.
 */
import { systemClock } from '../../src/base/index.ts'
import type { Row } from '../frame/row.ts'
import { startNamespaceMarker } from './namespace-marker.ts'
import { removeOne, type Stage, startOne, waitWell } from './stage.ts'

const containers = 1000
const atOnce = 100

export function parallelRow(stage: Stage): Row {
  return {
    id: 'oci-parallel',
    variant: 'keelson',
    version: stage.version,
    unit: 'ops/s',
    every: 20,
    async run() {
      await using marker = await startNamespaceMarker(systemClock)
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
      await marker.end()
      return containers / ((performance.now() - startMs) / 1000)
    },
  }
}
