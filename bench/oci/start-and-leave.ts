/** Started by `monitor-pss`: starts containers as a daemon would, and ends. */
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createRuntime } from '../../src/oci/index.ts'
import { type Stage, startOne } from './stage.ts'

const [stateRoot = '', cgroup = '', work = '', count = '0', ...args] = process.argv.slice(2)
const stage: Stage = {
  runtime: createRuntime({ stateRoot, instance: cgroup.slice(1), clock: systemClock, log: silentLogger }),
  work,
  version: '',
  cgroup,
}
await Promise.all(Array.from({ length: Number(count) }, () => startOne(stage, args)))
process.exit(0)
