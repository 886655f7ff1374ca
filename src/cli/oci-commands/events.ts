import { KeelsonError } from '../../base/index.ts'
import { encodeEvent } from '../../oci/cgroup/stats-json.ts'
import { command } from '../oci/context.ts'
import { durationMs } from '../oci/go-values.ts'

export default command({
  name: 'events',
  summary: 'print statistics and out-of-memory kills of a container, a line of JSON each, until it stops',
  args: ['container'],
  options: {
    interval: { type: 'string', value: 'DURATION', help: 'time between statistics; default 5s' },
    stats: { type: 'boolean', help: 'print statistics once' },
  },
  async run({ runtime, out }, { container: id, interval = '5s', stats = false }) {
    const intervalMs = durationMs(interval, 'interval')
    if (intervalMs <= 0)
      throw new KeelsonError('INVALID_ARGUMENT', 'duration interval must be greater than 0')
    const container = await (await runtime()).get(id)
    if ((await container.state()).status === 'stopped')
      throw new KeelsonError('FAILED_PRECONDITION', `container with id ${id} is not running`, {
        op: 'events',
        id,
      })
    if (stats) return out(`${encodeEvent('stats', id, await container.stats())}\n`)
    for await (const event of container.events({ intervalMs }))
      out(`${event.type === 'stats' ? encodeEvent('stats', id, event.stats) : encodeEvent('oom', id)}\n`)
  },
})
