// Runs one command in a container with limits and a deadline, and hands its output through:
//
//     sudo node run-sandboxed.mjs ROOTFS COMMAND [ARG...]
//
// Ends with the command's exit code; 124 when the deadline came first, as timeout(1) does.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createRuntime, defaultSeccompProfile, defaultSpec, systemClock } from 'keelson/oci'

const deadlineMs = 10_000
const [rootfs, ...args] = process.argv.slice(2)
if (!rootfs || args.length === 0) {
  console.error('usage: run-sandboxed.mjs ROOTFS COMMAND [ARG...]')
  process.exit(2)
}

const stateRoot = await mkdtemp(join(tmpdir(), 'sandbox-'))
const runtime = createRuntime({ stateRoot, clock: systemClock })
const container = await runtime.create({
  id: `sandbox-${process.pid}`,
  bundle: '/',
  rootfs: { kind: 'directory', path: resolve(rootfs) },
  spec: sandboxed(args),
  life: { kind: 'foreground', stdio: [0, 1, 2] },
})
try {
  await container.start()
  const { exitCode } = await container.wait({ signal: AbortSignal.timeout(deadlineMs) })
  process.exitCode = exitCode
} catch (error) {
  if (error.name !== 'TimeoutError') throw error
  console.error(`still running after ${deadlineMs / 1000} s: ended`)
  process.exitCode = 124
} finally {
  await container.delete({ force: true })
  await rm(stateRoot, { recursive: true })
}

/** The default specification, without a terminal, with limits and the default seccomp filter. */
function sandboxed(args) {
  const spec = defaultSpec()
  return {
    ...spec,
    process: { ...spec.process, args, terminal: false },
    linux: {
      ...spec.linux,
      resources: { ...spec.linux.resources, memory: { limit: 256 << 20 }, pids: { limit: 64 } },
      seccomp: defaultSeccompProfile({ capabilities: spec.process.capabilities.bounding }),
    },
  }
}
