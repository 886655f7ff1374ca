import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findPeer, type PeerName, peerEnvironment } from '../../test/support/peers.ts'
import { type BenchImage, ociArchive, pauseImage } from './bench-image.ts'
import { type CriServer, startCriServer } from './cri-server.ts'

/** Debian's containerd with its CRI plugin; `crun` and `runc` are its runtime handlers. */
export interface Containerd extends CriServer {
  readonly version: string
  readonly socketPath: string
  importImage(name: string, image: BenchImage): Promise<void>
}

const needed = [
  ...['containerd', 'ctr', 'containerd-shim-runc-v2', 'cni-bridge', 'iptables', 'runc', 'crun'],
] as PeerName[]

/** The programs that are missing to run it, by name. */
export function missingForContainerd(): string[] {
  return needed.filter((name) => findPeer(name) === undefined)
}

/**
 * Starts it in a mount and network namespace of its own: /run and /var/lib there are empty, so that state, shim
 * sockets and plugin caches touch nothing of the host, and `unified` is hidden, which crun 1.8 needs on a hybrid
 * host. Its directories lie on the disk that our own bench directories lie on.
 */
export async function startContainerd({ cpuGroup }: { cpuGroup?: string } = {}): Promise<Containerd> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-containerd-'))
  await mkdir(join(directory, 'cni'))
  await writeFile(join(directory, 'config.toml'), configuration(directory))
  await writeFile(join(directory, 'cni/10-bench.conflist'), JSON.stringify(network))
  const socketPath = join(directory, 'containerd.sock')
  const env = { ...peerEnvironment(needed), LANG: 'C' }
  const logPath = join(directory, 'log')
  const server = await startCriServer({
    ...{ argv: command(directory), env, socketPath, logPath },
    ...(cpuGroup === undefined ? {} : { cpuGroup }),
  })
  const mounts = readlinkSync(`/proc/${server.pid}/ns/mnt`)
  const containerd: Containerd = {
    cri: server.cri,
    pid: server.pid,
    socketPath,
    version: packageVersion(),
    async importImage(name, image) {
      const path = join(directory, 'import.tar')
      await writeFile(path, await ociArchive(name, image))
      const ctr = ['--address', socketPath, '--namespace', 'k8s.io', 'images', 'import', path]
      await promisify(execFile)(findPeer('ctr') ?? 'ctr', ctr, { env, timeout: 60_000 })
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      endProcessesIn(mounts)
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  await containerd.importImage(pauseName, await pauseImage())
  return containerd
}

const pauseName = 'localhost/pause:3.9'

function command(directory: string): string[] {
  const prepare = [
    'mount -t tmpfs none /run',
    'mount -t tmpfs none /var/lib',
    'if [ -d /sys/fs/cgroup/unified ]; then mount -t tmpfs none /sys/fs/cgroup/unified; fi',
    'ip link set lo up',
    'exec "$0" --config "$1"',
  ]
  const containerd = findPeer('containerd') ?? 'containerd'
  const own = ['unshare', '--mount', '--net', '--propagation', 'private']
  return [...own, 'sh', '-ec', prepare.join('\n'), containerd, join(directory, 'config.toml')]
}

function configuration(directory: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  const runtimes = (['runc', 'crun'] as const).map(
    (name) => `
[${cri}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.${name}.options]
  BinaryName = "${findPeer(name)}"
`,
  )
  return `version = 2
root = "${directory}/root"
state = "/run/containerd"
[grpc]
  address = "${directory}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/opt"
[${cri}]
  sandbox_image = "${pauseName}"
  # This may not lower oom_score_adj where CAP_SYS_RESOURCE is missing.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[${cri}.cni]
  bin_dir = "${dirname(findPeer('cni-bridge') ?? '')}"
  conf_dir = "${directory}/cni"
[${cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
${runtimes.join('')}`
}

/** What kubeadm-like set-ups of this age use. */
const network = {
  cniVersion: '1.0.0',
  name: 'bench',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.88.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}

/** Shims outlive containerd by design. Whoever lives in its mount namespace was started by it. */
function endProcessesIn(mounts: string): void {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)))
    try {
      if (readlinkSync(`/proc/${name}/ns/mnt`) === mounts) process.kill(Number(name), 'SIGKILL')
    } catch {
      // it ended meanwhile
    }
}

function packageVersion(): string {
  const said = execFileSync(findPeer('containerd') ?? 'containerd', ['--version'], { encoding: 'utf8' })
  return said.trim().split(/\s+/)[2] ?? 'unknown'
}
