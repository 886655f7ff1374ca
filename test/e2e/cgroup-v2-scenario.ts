/**
 * A container's life where cgroup v2 is all there is, told as JSON on standard output: run by cgroup-v2.test.ts in a
 * mount namespace in which only the unified hierarchy can be seen.
 */
import { readFileSync } from 'node:fs'
import { readCgroupLayout } from '../../src/oci/index.ts'
import { containerStage, plainSpec } from '../support/container.ts'

await using stage = await containerStage('v2')
const container = await stage.runtime.create({
  id: 'v2',
  spec: plainSpec(['sleep', '100']),
  bundle: '/',
  rootfs: { kind: 'directory', path: stage.rootfs },
  life: { kind: 'monitored', logPath: stage.logPath('v2') },
})
await container.start()
const { pid } = await container.state()
const cgroupOf = (of: number) => /^0::(.*)$/m.exec(readFileSync(`/proc/${of}/cgroup`, 'utf8'))?.[1]

const execution = await container.exec({
  process: { args: ['sleep', '100'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
  stdio: 'pipe',
})
const placed = { init: cgroupOf(pid), exec: cgroupOf(execution.pid), pids: (await container.pids()).length }
await container.pause()
const paused = (await container.state()).status
await container.resume()
await container.kill('KILL', { all: true })
const { exitCode } = await container.wait()
const executed = await execution.wait()
await container.delete()
console.log(
  JSON.stringify({
    mode: readCgroupLayout().mode,
    instance: stage.instance,
    ...placed,
    paused,
    exitCode,
    executed,
  }),
)
