/** keelson-oci below podman on a machine with nothing but cgroup v2. `make test-full` only: it takes minutes. */
import { fileURLToPath } from 'node:url'
import { engineTests } from '../support/engine-test.ts'
import { bundleForGuest } from '../support/guest.ts'
import { ociPrograms } from '../support/oci-programs.ts'
import { podmanPeers } from '../support/podman-host.ts'
import { runInUml } from '../support/uml.ts'

const { engineTest } = engineTests([...podmanPeers, 'user-mode-linux'], { isHeavy: true })
const scenario = fileURLToPath(new URL('podman-v2-scenario.ts', import.meta.url))

engineTest('podman on v2: a life with pause, update and stop; true exit codes', async (t) => {
  t.timeout(400_000)
  await using programs = await ociPrograms()
  await using program = await bundleForGuest(scenario)
  // Not /run, which podman's own machine covers.
  const command = ['env', 'TMPDIR=/tmp', process.execPath, program.path, programs.keelson.path]
  const { code, stdout, stderr, console } = await runInUml(command, { timeoutMs: 390_000, memoryMiB: 1536 })
  t.is(code, 0, `${stderr}\n${console}`)
  const { life, codes } = JSON.parse(stdout)
  t.like(life.exec, { code: 5, stdout: `${64 << 20}\n` }, JSON.stringify(life))
  t.like(life, { status: 'paused', stands: true, updated: 0, limit: `${96 << 20}\n` }, JSON.stringify(life))
  t.like(life, { stopped: 0, ended: '9 exited', removed: 0 })
  t.true(life.pids >= 1)
  t.deepEqual(codes.seen, [0, 1, 42, 255])
  t.is(codes.greedy, 137)
})
