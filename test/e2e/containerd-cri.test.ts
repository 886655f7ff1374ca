/** keelson-oci as the default runtime handler of Debian's containerd, driven by CRI calls as a kubelet sends them. */
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type CriClient, connectCri } from '../../cri/index.ts'
import {
  type ContainerConfig,
  ContainerState,
  type DeepPartial,
  type PodSandboxConfig,
  UpdateContainerResourcesRequest,
} from '../../cri/types.ts'
import { busyboxName } from '../support/busybox-image.ts'
import { type ContainerdHost, containerdPeers, startContainerdHost } from '../support/containerd-host.ts'
import { engineTests } from '../support/engine-test.ts'
import { eventually } from '../support/eventually.ts'
import { ociPrograms, type Programs } from '../support/oci-programs.ts'
import { containerConfig, createRequest, podConfig, runRequest } from '../support/pod-requests.ts'

const { present, engineTest } = engineTests(containerdPeers)
let programs: Programs
let containerd: ContainerdHost
let cri: CriClient
test.before(async () => {
  if (!present) return
  programs = await ociPrograms()
  containerd = await startContainerdHost(programs.keelson.path)
  cri = connectCri(containerd.socketPath)
})
test.after.always(async () => {
  cri?.close()
  await containerd?.[Symbol.asyncDispose]()
  await programs?.[Symbol.asyncDispose]()
})

const call = () => ({ signal: AbortSignal.timeout(30_000) })

interface Pod {
  id: string
  config: PodSandboxConfig
  run: (name: string, more: DeepPartial<ContainerConfig>) => Promise<string>
}

async function pod(name: string): Promise<Pod> {
  const config = podConfig(name, {
    logDirectory: join(containerd.host.folder, name),
    linux: { ...podConfig(name).linux, cgroupParent: `/${containerd.host.cgroup}/${name}` },
  })
  const { podSandboxId: id } = await cri.runtime.runPodSandbox(runRequest(config), call())
  return {
    id,
    config,
    async run(containerName, more) {
      const container = containerConfig(containerName, {
        image: { image: busyboxName },
        logPath: `${containerName}.log`,
        ...more,
      })
      const request = { ...createRequest(id, container), sandboxConfig: config }
      const { containerId } = await cri.runtime.createContainer(request, call())
      await cri.runtime.startContainer({ containerId }, call())
      return containerId
    },
  }
}

const shell = (script: string) => ({ command: ['sh', '-c', script] })

async function ended(containerId: string) {
  return eventually(
    'the container ends',
    async () => {
      const { status } = await cri.runtime.containerStatus({ containerId, verbose: false }, call())
      return status?.state === ContainerState.CONTAINER_EXITED && status
    },
    20_000,
  )
}

async function removed(podSandboxId: string): Promise<void> {
  await cri.runtime.stopPodSandbox({ podSandboxId }, call())
  await cri.runtime.removePodSandbox({ podSandboxId }, call())
}

/** Containers below the pod's cgroup, in any hierarchy. */
const left = (name: string) =>
  readdirSync('/sys/fs/cgroup').flatMap((hierarchy) => {
    try {
      const path = join('/sys/fs/cgroup', hierarchy, containerd.host.cgroup, name)
      return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    } catch {
      return []
    }
  })

engineTest('a pod with containers: exec, log, exit codes, all gone afterwards', async (t) => {
  const one = await pod('life')
  const long = await one.run(
    'long',
    shell('echo out; echo err >&2; trap "exit 4" TERM; while :; do sleep 0.05; done'),
  )
  const short = await one.run('short', shell('exit 3'))
  const exec = async (...cmd: string[]) => {
    const said = await cri.runtime.execSync({ containerId: long, cmd, timeout: 10n }, call())
    return { code: said.exitCode, stdout: said.stdout.toString(), stderr: said.stderr.toString() }
  }
  t.deepEqual(await exec('sh', '-c', 'hostname; echo err >&2; exit 5'), {
    code: 5,
    stdout: 'life\n',
    stderr: 'err\n',
  })
  t.like(await ended(short), { exitCode: 3, reason: 'Error' })
  await cri.runtime.stopContainer({ containerId: long, timeout: 10n }, call())
  t.like(await ended(long), { exitCode: 4 })
  const log = await readFile(join(containerd.host.folder, 'life/long.log'), 'utf8')
  t.deepEqual(log.match(/ (stdout|stderr) F \w+$/gm)?.sort(), [' stderr F err', ' stdout F out'])
  await removed(one.id)
  t.deepEqual(left('life'), [])
})

engineTest('limits: read, changed while it runs, and an end for want of memory is told', async (t) => {
  const one = await pod('limits')
  const resources = {
    memoryLimitInBytes: 32n << 20n,
    cpuQuota: 50_000n,
    cpuPeriod: 100_000n,
    cpuShares: 512n,
  }
  const id = await one.run('limited', {
    ...shell('sleep 100'),
    linux: { ...containerConfig('x').linux, resources },
  })
  const file = async (controller: string, name: string) => {
    const path = join('/sys/fs/cgroup', controller, containerd.host.cgroup, 'limits', id, name)
    return (await readFile(path, 'utf8')).trim()
  }
  t.is(await file('memory', 'memory.limit_in_bytes'), `${32 << 20}`)
  t.is(await file('cpu', 'cpu.cfs_quota_us'), '50000')
  const linux = { ...resources, memoryLimitInBytes: 48n << 20n, cpuQuota: 70_000n }
  await cri.runtime.updateContainerResources(
    UpdateContainerResourcesRequest.fromPartial({ containerId: id, linux }),
    call(),
  )
  t.is(await file('memory', 'memory.limit_in_bytes'), `${48 << 20}`)
  t.is(await file('cpu', 'cpu.cfs_quota_us'), '70000')
  const { stats } = await cri.runtime.containerStats({ containerId: id }, call())
  t.true((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n)
  const greedy = await one.run('greedy', {
    ...shell('sleep 0.3; tail /dev/zero'),
    linux: { ...containerConfig('x').linux, resources: { memoryLimitInBytes: 16n << 20n } },
  })
  t.like(await ended(greedy), { exitCode: 137, reason: 'OOMKilled' })
  await removed(one.id)
})
