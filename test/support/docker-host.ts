import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup } from '../../src/base/index.ts'
import { writeBusyboxArchive } from './busybox-image.ts'
import { EngineHost } from './engine-host.ts'
import type { Engine } from './engine-suite.ts'
import { eventually } from './eventually.ts'
import { guideSnippet } from './guide.ts'
import type { RunOptions } from './own-network.ts'
import { findPeer, type PeerName } from './peers.ts'

export const dockerPeers: readonly PeerName[] = [
  ...(['dockerd', 'debian-docker', 'docker-init', 'containerd', 'containerd-shim-runc-v2', 'runc'] as const),
]
const image = 'busybox:test'
const runFlags = ['--network=none']
const socket = 'unix:///run/docker.sock'

/**
 * Debian's Docker Engine on a machine of its own, with its containerd in the same mount namespace (in another one the
 * root file systems that it mounts would be empty), and the busybox image.
 */
export async function startDockerHost(runtime: string): Promise<Engine> {
  await using undo = new Cleanup()
  const host = await undo.use(EngineHost.create('docker', dockerPeers))
  const configuration = join(host.folder, 'daemon.json')
  await writeFile(
    configuration,
    guideSnippet('oci-runtime', 'With Docker', { '/usr/local/bin/keelson-oci': runtime }),
  )
  const flags = [
    ...['--config-file', configuration],
    // What a machine without systemd, CAP_SYS_RESOURCE and a network needs.
    ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${host.cgroup}`],
    ...['--oom-score-adjust', '0', '--bridge=none', '--iptables=false', '--ip-forward=false'],
    ...['--host', socket, '--storage-driver', 'overlay2'],
  ]
  const daemon = host.start('dockerd', flags)
  const client = findPeer('debian-docker') ?? ''
  const docker = (args: readonly string[], options?: RunOptions) =>
    host.run(client, ['--host', socket, ...args], options)
  await eventually(
    'dockerd answers',
    async () => daemon.exitCode !== null || (await docker(['version'])).code === 0,
    30_000,
  )
  const loaded = await docker(['load', '--input', await writeBusyboxArchive(host.folder)])
  if (loaded.code !== 0) throw new Error(`docker load: ${loaded.stderr}`)
  return Object.assign(undo.move(), {
    host,
    command: docker,
    runFlags,
    image,
    shell: (words: readonly string[], script: string, options?: RunOptions) =>
      docker(['run', ...runFlags, ...words, image, 'sh', '-c', script], options),
    commandLine: (args: readonly string[]) => [client, '--host', socket, ...args].map(quoted).join(' '),
  })
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
