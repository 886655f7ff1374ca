import { execFile, spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CriClient } from '../../cri/index.ts'
import { PullImageRequest, RemoveImageRequest } from '../../cri/types.ts'
import { Cleanup } from '../../src/base/index.ts'
import { version } from '../../src/cli/version.ts'
import { syncFilesystem } from '../../src/kernel/index.ts'
import { TestCluster } from '../../test/support/cluster.ts'
import { findPeer, peerEnvironment } from '../../test/support/peers.ts'
import type { Registry } from '../../test/support/registry.ts'
import { missingForContainerd, startContainerd } from '../frame/containerd.ts'
import { benchCgroup } from '../frame/cpu.ts'
import { startCriServer, stop } from '../frame/cri-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const pullMs = 100_000

export interface Place {
  directory: string
  registry: Registry
  reference: string
  notice: (text: string) => void
}

/** Somebody who pulls the image and removes it again. */
export interface Puller {
  variant: string
  version: string
  pull(): Promise<void>
  /** Nothing of it is left, nor of it on the way to disk. */
  remove(): Promise<void>
}

export async function keelsonPuller({ directory, reference }: Place): Promise<Puller & AsyncDisposable> {
  await using undo = new Cleanup()
  const cluster = await undo.use(TestCluster.create('image'))
  await mkdir(cluster.dataDirectory, { recursive: true })
  const server = await undo.use(
    startCriServer({
      argv: [join(root, 'bin/keelson'), 'cri', ...cluster.criFlags],
      socketPath: join(cluster.runDirectory, 'cri.sock'),
      logPath: join(directory, 'keelson.log'),
      cpuGroup: `${benchCgroup}/keelson-server`,
    }),
  )
  const puller = throughCri(server.cri, reference, directory)
  return Object.assign(undo.move(), { variant: 'keelson', version: `keelson ${version}`, ...puller })
}

export async function containerdPuller(place: Place): Promise<(Puller & AsyncDisposable) | undefined> {
  const missing = missingForContainerd()
  if (missing.length > 0) {
    place.notice(`containerd: ${missing.join(', ')} missing (node scripts/peers.mjs)`)
    return undefined
  }
  await using undo = new Cleanup()
  const containerd = await undo.use(startContainerd({ cpuGroup: `${benchCgroup}/containerd` }))
  await undo.use(registryBeside(containerd.pid, place))
  const puller = throughCri(containerd.cri, place.reference, place.directory)
  return Object.assign(undo.move(), {
    variant: 'containerd',
    version: `containerd ${containerd.version}`,
    ...puller,
  })
}

function throughCri({ image: images }: CriClient, reference: string, directory: string) {
  const image = { image: reference }
  const call = () => ({ signal: AbortSignal.timeout(pullMs) })
  return {
    async pull() {
      await images.pullImage(PullImageRequest.fromPartial({ image }), call())
    },
    async remove() {
      await images.removeImage(RemoveImageRequest.fromPartial({ image }), call())
      await syncFilesystem(directory)
    },
  }
}

/** containerd lives in a network namespace of its own: the same registry once more, on the same port there. */
async function registryBeside(pid: number, { registry, directory }: Place): Promise<AsyncDisposable> {
  const config = join(directory, 'registry.yml')
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: registry.storage } },
    http: { addr: registry.host, secret: 'bench' },
  }
  await writeFile(config, JSON.stringify(settings)) // JSON is YAML
  const program = findPeer('docker-registry') ?? 'docker-registry'
  const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, program, 'serve', config], { stdio: 'ignore' })
  return { [Symbol.asyncDispose]: () => stop(child, 5_000) }
}

/** In a mount namespace of its own per command, so that nothing of the host's /run is written. */
export async function podmanPuller(place: Place): Promise<(Puller & AsyncDisposable) | undefined> {
  const { directory, reference, notice } = place
  const podman = findPeer('podman')
  if (podman === undefined) {
    notice('podman is missing (node scripts/peers.mjs)')
    return undefined
  }
  const storage = join(directory, 'podman')
  const policy = join(directory, 'policy.json')
  await mkdir(storage, { recursive: true })
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  const script = 'mount -t tmpfs none /run; mount -t tmpfs none /var/lib; exec "$0" "$@"'
  const globals = [
    ...['--root', storage, '--runroot', '/run/podman', '--tmpdir', '/run/podman-tmp'],
    ...['--storage-driver=overlay', '--events-backend=none', '--cgroup-manager=cgroupfs'],
  ]
  const command = (...args: string[]) =>
    run(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-ec', script, podman, ...globals, ...args],
      {
        env: { ...peerEnvironment(['podman', 'conmon']), HOME: directory },
        timeout: pullMs,
      },
    )
  const { stdout } = await command('--version')
  return {
    variant: 'podman',
    version: stdout.trim().replace(' version', ''),
    async pull() {
      await command('pull', '--quiet', '--tls-verify=false', '--signature-policy', policy, reference)
    },
    async remove() {
      await command('rmi', '--all', '--force')
      await syncFilesystem(directory)
    },
    [Symbol.asyncDispose]: () => rm(storage, { recursive: true, force: true }),
  }
}
