/** Started by crash tests: makes and starts a container and then waits to be killed. */
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import { createRuntime } from '../../src/oci/index.ts'
import { plainSpec } from './container.ts'

const [folder = '', instance = '', rootfs = '', id = ''] = process.argv.slice(2)
const runtime = createRuntime({ stateRoot: join(folder, 'state'), instance, clock: systemClock })
process.stdout.write('begin\n')
const container = await runtime.create({
  id,
  spec: plainSpec(['sleep', '1000']),
  bundle: '/',
  rootfs: { kind: 'directory', path: rootfs },
  life: { kind: 'monitored', logPath: join(folder, `${id}.log`) },
})
await container.start()
process.stdout.write('started\n')
setInterval(() => {}, 1000)
