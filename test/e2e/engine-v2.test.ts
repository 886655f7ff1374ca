/** keelson-oci below podman and Docker on a machine with nothing but cgroup v2. `make test-full` only: it takes minutes. */
import { fileURLToPath } from 'node:url'
import { dockerPeers } from '../support/docker-host.ts'
import { engineTests } from '../support/engine-test.ts'
import { bundleForGuest } from '../support/guest.ts'
import { ociPrograms } from '../support/oci-programs.ts'
import type { PeerName } from '../support/peers.ts'
import { podmanPeers } from '../support/podman-host.ts'
import { runInUml } from '../support/uml.ts'

const scenario = fileURLToPath(new URL('engine-v2-scenario.ts', import.meta.url))
const engines: [name: string, peers: readonly PeerName[]][] = [
  ['podman', podmanPeers],
  ['docker', dockerPeers],
]

for (const [name, peers] of engines) {
  const { engineTest } = engineTests([...peers, 'user-mode-linux'], { isHeavy: true })
  engineTest(`${name} on v2: a life with pause, update and stop; true exit codes`, async (t) => {
    t.timeout(400_000)
    await using programs = await ociPrograms()
    await using program = await bundleForGuest(scenario)
    // Not /run, which the engine's own machine covers.
    const node = ['env', 'TMPDIR=/tmp', process.execPath]
    const command = [...node, program.path, name, programs.keelson.path]
    const { code, stdout, stderr, console } = await runInUml(command, { timeoutMs: 390_000, memoryMiB: 1536 })
    t.is(code, 0, `${stderr}\n${console}`)
    const { life, codes } = JSON.parse(stdout)
    const seen = JSON.stringify(life)
    t.like(life.exec, { code: 5, stdout: `${64 << 20}\n` }, seen)
    t.like(life, { status: 'paused', stands: true, updated: 0, limit: `${96 << 20}\n` }, seen)
    t.like(life, { stopped: 0, ended: '9 exited', removed: 0 })
    t.true(life.pids >= 1, seen)
    t.deepEqual(codes.seen, [0, 1, 42, 255])
    t.is(codes.greedy, 137)
  })
}
