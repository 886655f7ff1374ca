// A container that stays: programs are run in it while its use is watched, then it is stopped.
//
//     sudo node keep-and-exec.mjs ROOTFS
//
// Its monitor outlives this program: were it killed halfway, the next `createRuntime` on the same state root would find
// the container by its id.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { createRuntime, defaultSpec, systemClock } from 'keelson/oci'

const rootfs = process.argv[2]
if (!rootfs) {
  console.error('usage: keep-and-exec.mjs ROOTFS')
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'keep-'))
const logPath = join(folder, 'log')
const runtime = createRuntime({ stateRoot: join(folder, 'state'), clock: systemClock })
const spec = defaultSpec()
const container = await runtime.create({
  id: `keep-${process.pid}`,
  bundle: '/',
  rootfs: { kind: 'directory', path: resolve(rootfs) },
  spec: {
    ...spec,
    process: { ...spec.process, args: ['sh', '-c', 'echo up; exec sleep 1000'], terminal: false },
  },
  life: { kind: 'monitored', logPath },
})
try {
  await container.start()
  console.log('running as pid', (await container.state()).pid)

  const execution = await container.exec({
    process: { ...spec.process, args: ['sh', '-c', 'cat && hostname'], terminal: false },
    stdio: 'pipe',
    stdin: true,
  })
  execution.stdin.end('from outside, then from inside: ')
  const [output, { exitCode }] = await Promise.all([text(execution.stdout), execution.wait()])
  console.log(`exec: ${output.trim()} (exit code ${exitCode})`)

  const { memory, pids } = await container.stats()
  console.log(`memory ${memory.usage.usage} bytes, ${pids.current} processes`)

  await container.kill('SIGKILL')
  const exit = await container.wait()
  console.log(`ended with exit code ${exit.exitCode}, signal ${exit.signal}`)
  console.log('log:', (await readFile(logPath, 'utf8')).trim())
} finally {
  await container.delete({ force: true })
  await runtime[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
}
