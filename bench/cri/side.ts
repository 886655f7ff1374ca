import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CriClient } from '../../cri/index.ts'
import { PullImageRequest } from '../../cri/types.ts'
import { Cleanup } from '../../src/base/index.ts'
import { version } from '../../src/cli/version.ts'
import { TestCluster } from '../../test/support/cluster.ts'
import type { BenchImage } from '../frame/bench-image.ts'
import { type BenchRegistry, busyboxName } from '../frame/bench-registry.ts'
import { type Containerd, missingForContainerd, startContainerd } from '../frame/containerd.ts'
import { benchCgroup, countCgroup } from '../frame/cpu.ts'
import { startCriServer } from '../frame/cri-server.ts'
import { peerVersion } from '../frame/peers.ts'
import { PodCycle } from '../frame/pod-cycle.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** One of those who are compared: a CRI server as a process of its own, and pods to make there. */
export interface Side {
  variant: string
  version: string
  cri: CriClient
  pid: number
  pods: PodCycle
  /** Groups with everything that its pods cost, the client's part excepted. */
  cpuGroups: readonly string[]
}

export interface KeelsonPlace {
  directory: string
  registry: BenchRegistry
  name: string
  /** Of the server: default ours. */
  env?: NodeJS.ProcessEnv
}

/** The real `keelson cri` with an instance of its own, the image present. */
export async function keelsonSide({
  directory,
  registry,
  name,
  env,
}: KeelsonPlace): Promise<Side & AsyncDisposable> {
  await using undo = new Cleanup()
  // `down`, at the end, also removes the pods that a bench which was cut short left.
  const cluster = await undo.use(TestCluster.create(name, ['--registries', registry.tablePath]))
  countCgroup(`/${cluster.instance}`)
  await mkdir(cluster.dataDirectory, { recursive: true })
  const cpuGroup = `${benchCgroup}/${name}-server`
  const server = await undo.use(
    startCriServer({
      argv: [join(root, 'bin/keelson'), 'cri', ...cluster.criFlags],
      ...(env ? { env } : {}),
      socketPath: join(cluster.runDirectory, 'cri.sock'),
      logPath: join(directory, `${name}.log`),
      cpuGroup,
    }),
  )
  const request = PullImageRequest.fromPartial({ image: { image: busyboxName } })
  await server.cri.image.pullImage(request, { signal: AbortSignal.timeout(60_000) })
  const cgroupParent = `${benchCgroup}/${name}`
  const logDirectory = join(directory, 'logs', name)
  const pods = new PodCycle(server.cri, { image: busyboxName, cgroupParent, logDirectory })
  undo.defer(() => end(pods))
  return Object.assign(undo.move(), {
    variant: 'keelson',
    version: `keelson ${version}`,
    cri: server.cri,
    pid: server.pid,
    pods,
    cpuGroups: [cpuGroup, cgroupParent, `/${cluster.instance}`],
  })
}

export interface ContainerdPlace {
  directory: string
  image: BenchImage
  notice: (text: string) => void
}

/** One containerd, a side for each runtime; none, and a notice, where programs are missing. */
export async function containerdSides(
  undo: Cleanup,
  { directory, image, notice }: ContainerdPlace,
): Promise<Side[]> {
  const missing = missingForContainerd()
  if (missing.length > 0) {
    notice(`containerd: ${missing.join(', ')} missing (node scripts/peers.mjs)`)
    return []
  }
  const cpuGroup = `${benchCgroup}/containerd`
  const containerd = await undo.use(startContainerd({ cpuGroup }))
  await containerd.importImage(busyboxName, image)
  return (['crun', 'runc'] as const).map((runtime) => {
    const side = containerdSide(containerd, runtime, directory, cpuGroup)
    undo.defer(() => end(side.pods))
    return side
  })
}

/** CPU of one side alone is told apart by taking turns: the daemon is shared, and idle in the other's turn. */
export function containerdSide(
  containerd: Containerd,
  runtimeHandler: 'crun' | 'runc',
  directory: string,
  cpuGroup: string,
): Side {
  const variant = `containerd-${runtimeHandler}`
  const cgroupParent = `${benchCgroup}/${variant}`
  const logDirectory = join(directory, 'logs', variant)
  const { cri, pid } = containerd
  return {
    variant,
    version: `containerd ${containerd.version} + ${peerVersion(runtimeHandler)}`,
    cri,
    pid,
    pods: new PodCycle(cri, { image: busyboxName, cgroupParent, logDirectory, runtimeHandler }),
    cpuGroups: [cpuGroup, cgroupParent],
  }
}

async function end(pods: PodCycle): Promise<void> {
  await pods.downAll()
  pods.removeParents()
}
