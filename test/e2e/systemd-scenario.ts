/** A container's life as a unit of the systemd around us, told as JSON: run by container-systemd.test.ts in its namespaces. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import { createRuntime } from '../../src/oci/index.ts'
import { containerStage, plainSpec } from '../support/container.ts'

await using stage = await containerStage('systemd-real')
const stateRoot = join(stage.folder, 'systemd-state')
await using runtime = createRuntime({
  stateRoot,
  clock: systemClock,
  cgroupManager: 'systemd',
  instance: '',
  env: {},
})
const unit = 'kt-real.scope'
const show = (...names: string[]) =>
  Object.fromEntries(
    execFileSync('systemctl', ['show', unit, '-p', names.join(',')], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.split('=', 2)),
  )

const container = await runtime.create({
  id: 'real',
  spec: plainSpec(['sleep', '100'], (spec) => {
    Object.assign(spec, { annotations: { 'org.systemd.property.TimeoutStopSec': '7' } })
    Object.assign(spec.linux, { cgroupsPath: 'kt-deep.slice:kt:real' })
  }),
  bundle: '/',
  rootfs: { kind: 'directory', path: stage.rootfs },
  life: { kind: 'detached' },
})
await container.start()
const { pid } = await container.state()
const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').at(-1)
const made = show('ActiveState', 'ControlGroup', 'Delegate', 'TimeoutStopUSec', 'DevicePolicy', 'Slice')
await container.update({ cpu: { quota: 20_000, period: 100_000 } }).catch((error: Error) => error.message)
await container.pause()
const paused = (await container.state()).status
execFileSync('systemctl', ['daemon-reload'])
const afterReload = (await container.state()).status
await container.delete({ force: true })
const gone = show('ActiveState', 'LoadState')
console.log(JSON.stringify({ cgroup, made, paused, afterReload, gone, left: (await runtime.list()).length }))
