import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ociArchive, pauseImage } from '../../bench/frame/bench-image.ts'
import { Cleanup } from '../../src/base/index.ts'
import { busyboxName, writeBusyboxArchive } from './busybox-image.ts'
import { EngineHost } from './engine-host.ts'
import { eventually } from './eventually.ts'
import { guideSnippet } from './guide.ts'
import type { CommandResult, RunOptions } from './own-network.ts'
import { findPeer, type PeerName } from './peers.ts'

export const containerdPeers: readonly PeerName[] = [
  ...(['containerd', 'ctr', 'containerd-shim-runc-v2', 'cni-bridge', 'iptables'] as const),
]
export const sandboxImage = 'localhost/pause:3.9'

/** Debian's containerd on a machine of its own, with the busybox image; what `ctr` starts runs on `runtime`. */
export interface ContainerdHost extends AsyncDisposable {
  readonly host: EngineHost
  readonly socketPath: string
  ctr(args: readonly string[], options?: RunOptions): Promise<CommandResult>
  /** `ctr run` with our runtime; `flags` stand before the image. */
  runContainer(
    flags: readonly string[],
    id: string,
    command: readonly string[],
    options?: RunOptions,
  ): Promise<CommandResult>
  /** The words of the same, to be put behind a terminal. */
  commandLine(args: readonly string[]): string
}

export async function startContainerdHost(runtime: string): Promise<ContainerdHost> {
  await using undo = new Cleanup()
  const host = await undo.use(EngineHost.create('containerd', containerdPeers))
  const socketPath = join(host.folder, 'containerd.sock')
  const config = join(host.folder, 'config.toml')
  await writeFile(config, configuration(host, socketPath, runtime))
  await writeFile(join(host.folder, '10-test.conflist'), JSON.stringify(network))
  const containerd = host.start('containerd', ['--config', config])
  const words = (args: readonly string[]) => ['--address', socketPath, '--namespace', host.cgroup, ...args]
  const ctr = (args: readonly string[], options?: RunOptions) => host.run('ctr', words(args), options)
  const binary = ['--runc-binary', runtime]
  await eventually(
    'containerd answers',
    async () => containerd.exitCode !== null || (await ctr(['version'])).code === 0,
    20_000,
  )
  await importImages(host, ctr)
  return Object.assign(undo.move(), {
    host,
    socketPath,
    ctr,
    runContainer: (flags: readonly string[], id: string, command: readonly string[], options?: RunOptions) =>
      ctr(['run', ...binary, ...flags, busyboxName, id, ...command], options),
    commandLine: (args: readonly string[]) =>
      ['ctr', ...words(args[0] === 'run' ? ['run', ...binary, ...args.slice(1)] : args)]
        .map(quoted)
        .join(' '),
  })
}

type Ctr = (args: readonly string[]) => Promise<CommandResult>

/** Namespaces of containerd share nothing but the bytes, so both get the images that they use. */
async function importImages(host: EngineHost, ctr: Ctr): Promise<void> {
  const archive = await writeBusyboxArchive(host.folder)
  const pause = join(host.folder, 'pause.tar')
  await writeFile(pause, await ociArchive(sandboxImage, await pauseImage()))
  for (const args of [
    ['images', 'import', archive],
    ['--namespace', 'k8s.io', 'images', 'import', archive],
    ['--namespace', 'k8s.io', 'images', 'import', pause],
  ]) {
    const { code, stderr } = await ctr(args)
    if (code !== 0) throw new Error(`ctr ${args.join(' ')}: ${stderr}`)
  }
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

const cri = 'plugins."io.containerd.grpc.v1.cri"'

/** The lines of the guide, and what keeps this containerd to its own directories. */
function configuration({ folder }: EngineHost, socketPath: string, runtime: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${socketPath}"
[${cri}]
  sandbox_image = "${sandboxImage}"
  # This may not lower oom_score_adj where CAP_SYS_RESOURCE is missing.
  restrict_oom_score_adj = true
[${cri}.cni]
  bin_dir = "${dirname(findPeer('cni-bridge') ?? '')}"
  conf_dir = "${folder}"
${guideSnippet('oci-runtime', 'With containerd', { '/usr/local/bin/keelson-oci': runtime })}`
}

const network = {
  cniVersion: '1.0.0',
  name: 'test',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16' }]] },
    },
  ],
}
