import { once } from 'node:events'
import { KeelsonError, systemClock } from '../../base/index.ts'
import { startService } from '../oci/compile-service/start.ts'
import { command } from '../oci/context.ts'

export default command({
  name: 'compile-service',
  summary: 'stay and decide what create does, so that each takes a few milliseconds',
  async run({ log }) {
    const service = await startService(process.env, { clock: systemClock, log, isReady: true })
    if (!service)
      throw new KeelsonError('FAILED_PRECONDITION', 'there is no place for its socket', {
        hint: 'set XDG_RUNTIME_DIR or KEELSON_OCI_SERVICE',
      })
    await using _service = service
    await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  },
})
