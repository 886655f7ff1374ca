import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, release, totalmem } from 'node:os'
import type { RuntimeService } from '../../cri/service.ts'
import {
  type Node,
  type NodeCondition,
  type NodeStatus,
  type NodeSystemInfo,
  withCondition,
} from '../api/index.ts'
import { asKeelsonError, bootId } from '../base/index.ts'

/** What the host has, read once. Bytes; CPUs are what this process may run on. */
export interface HostCapacity {
  cpus: number
  memoryBytes: number
  diskBytes: number
}

export async function hostCapacity(dataDirectory: string): Promise<HostCapacity> {
  const { blocks, bsize } = await statfs(dataDirectory)
  return { cpus: availableParallelism(), memoryBytes: totalmem(), diskBytes: blocks * bsize }
}

/** Resources a pod may ask for on this node, as quantities. Nothing is held back for the system yet. */
export function resourceList({ cpus, memoryBytes, diskBytes }: HostCapacity, maxPods: number) {
  return {
    cpu: String(cpus),
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(diskBytes / 1024)}Ki`,
    pods: String(maxPods),
  }
}

export async function systemInfo(kubeletVersion: string, runtimeVersion: string): Promise<NodeSystemInfo> {
  const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }
  return {
    machineID: await firstLine('/etc/machine-id'),
    systemUUID: await firstLine('/sys/class/dmi/id/product_uuid'),
    bootID: bootId(),
    kernelVersion: release(),
    osImage: prettyName(await textOf('/etc/os-release')),
    containerRuntimeVersion: runtimeVersion,
    kubeletVersion,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: architectures[arch()] ?? arch(),
  }
}

const memoryAvailableMinBytes = 100 * 1024 * 1024
const diskFreeMin = 0.1
const inodesFreeMin = 0.05
const pidsFreeMin = 0.05

type Finding = Omit<NodeCondition, 'lastHeartbeatTime' | 'lastTransitionTime'>

/** Where the host runs short: thresholds as upstream's hard eviction defaults. */
export async function pressureConditions(dataDirectory: string): Promise<Finding[]> {
  const { blocks, bavail, files, ffree } = await statfs(dataDirectory)
  const available = Number(/MemAvailable:\s+(\d+) kB/.exec(await textOf('/proc/meminfo'))?.[1] ?? 0) * 1024
  const tasks = Number(/\/(\d+) /.exec(await textOf('/proc/loadavg'))?.[1] ?? 0)
  const pidMax = Number(await firstLine('/proc/sys/kernel/pid_max')) || 32_768
  const diskShort = bavail < blocks * diskFreeMin || (files > 0 && ffree < files * inodesFreeMin)
  return [
    pressure('MemoryPressure', available < memoryAvailableMinBytes, 'KubeletHasSufficientMemory', 'memory'),
    pressure('DiskPressure', diskShort, 'KubeletHasNoDiskPressure', 'disk space'),
    pressure('PIDPressure', pidMax - tasks < pidMax * pidsFreeMin, 'KubeletHasSufficientPID', 'process ids'),
  ]
}

function pressure(type: string, short: boolean, fine: string, what: string): Finding {
  return short
    ? { type, status: 'True', reason: `KubeletHas${type}`, message: `the node runs short of ${what}` }
    : { type, status: 'False', reason: fine, message: `the node has enough ${what}` }
}

/** Ready when the runtime answers and says that it and its network are. */
export async function readyCondition(runtime: RuntimeService, signal: AbortSignal): Promise<Finding> {
  try {
    const { status } = await runtime.status({ verbose: false }, { signal })
    const failing = (status?.conditions ?? []).filter(
      (one) => !one.status && (one.type === 'RuntimeReady' || one.type === 'NetworkReady'),
    )
    const message = failing
      .map(({ type, reason, message }) => `${type}=false: ${reason} ${message}`)
      .join('; ')
    return failing.length === 0 ? ready : notReady(message)
  } catch (error) {
    return notReady(`container runtime does not answer: ${asKeelsonError(error).message}`)
  }
}

const ready: Finding = {
  type: 'Ready',
  status: 'True',
  reason: 'KubeletReady',
  message: 'kubelet is posting ready status',
}

export function notReady(message: string): Finding {
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message }
}

/** The node's conditions with these findings in them; all carry the time of this heartbeat. */
export function withFindings(
  node: Node,
  findings: readonly Finding[],
  now: string,
  nowMs: number,
): NodeCondition[] {
  let conditions = node.status?.conditions ?? []
  for (const finding of findings) conditions = [...withCondition<NodeCondition>(conditions, finding, nowMs)]
  const ours = new Set(findings.map(({ type }) => type))
  return conditions.map((one) => (ours.has(one.type) ? { ...one, lastHeartbeatTime: now } : one))
}

/** What of a status is worth a write at once; a heartbeat alone is not. */
export function withoutHeartbeats(status: NodeStatus | undefined): NodeStatus {
  const conditions = (status?.conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest)
  return { ...status, conditions }
}

async function firstLine(path: string): Promise<string> {
  return (await textOf(path)).split('\n')[0]?.trim() ?? ''
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function prettyName(osRelease: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux'
}
