/** `cri-pods-500`: five hundred pods at once. Every one must come up; then the lists are asked for, and one more pod. */
import { readdir, readlink } from 'node:fs/promises'
import { ContainerState, ListContainersRequest, ListPodSandboxRequest } from '../../cri/types.ts'
import { version } from '../../src/cli/version.ts'
import type { BenchRegistry } from '../frame/bench-registry.ts'
import { quantile } from '../frame/report.ts'
import type { Part, Row } from '../frame/row.ts'
import { keelsonSide, type Side } from './side.ts'

const pods = 500
/** Pods whose times are taken at either end, one after the other: a single one is chance. */
const sample = 20
/** The first pods of a server are slow, and not for what is there. */
const warmUp = 40
const atOnce = 5

export function manyRow({ directory, registry }: { directory: string; registry: BenchRegistry }): Row {
  return {
    id: 'cri-pods-500',
    variant: 'keelson',
    version: `keelson ${version}`,
    every: 100,
    async run() {
      await using side = await keelsonSide({ directory, registry, name: 'many' })
      return await measure(side)
    },
  }
}

async function measure(side: Side): Promise<Part[]> {
  for (let left = warmUp; left > 0; left--) await side.pods.down(await side.pods.up())
  const first = await upTimes(side)
  let left = pods - sample
  const worker = async () => {
    while (left-- > 0) await side.pods.up()
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const last = await upTimes(side)
  const lists = await listTimes(side)
  return [
    { id: 'cri-pods-500-list', unit: 'ms', value: quantile(lists, 0.5) },
    { id: 'cri-pods-500-list-min', unit: 'ms', value: quantile(lists, 0) },
    { id: 'cri-pods-500-up', unit: 'ms', value: quantile(last, 0.5) },
    { id: 'cri-pods-500-up-ratio', unit: 'count', value: quantile(last, 0.5) / quantile(first, 0.5) },
    { id: 'cri-pods-500-inotify', unit: 'count', value: await inotifyInstances(side.pid) },
  ]
}

async function upTimes({ pods }: Side): Promise<number[]> {
  const times: number[] = []
  while (times.length < sample) times.push(await timeOf(() => pods.up()))
  return times
}

/** Of each round the slower of the two. */
async function listTimes({ cri: { runtime } }: Side): Promise<number[]> {
  const times: number[] = []
  while (times.length < sample) {
    const call = { signal: AbortSignal.timeout(30_000) }
    const sandboxes = await timeOf(async () => {
      const { items } = await runtime.listPodSandbox(ListPodSandboxRequest.create(), call)
      if (items.length < pods) throw new Error(`${items.length} of ${pods} pod sandboxes are listed`)
    })
    const containers = await timeOf(async () => {
      const { containers: found } = await runtime.listContainers(ListContainersRequest.create(), call)
      const running = found.filter(({ state }) => state === ContainerState.CONTAINER_RUNNING)
      if (running.length < pods) throw new Error(`${running.length} of ${pods} containers run`)
    })
    times.push(Math.max(sandboxes, containers))
  }
  return times
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

async function inotifyInstances(pid: number): Promise<number> {
  const directory = `/proc/${pid}/fd`
  const targets = (await readdir(directory)).map((fd) => readlink(`${directory}/${fd}`).catch(() => ''))
  return (await Promise.all(targets)).filter((target) => target === 'anon_inode:inotify').length
}
