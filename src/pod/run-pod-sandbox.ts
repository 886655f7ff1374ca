import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import {
  type DNSConfig,
  type PodSandboxConfig,
  type PortMapping,
  Protocol,
  type RunPodSandboxRequest,
  RunPodSandboxResponse,
} from '../../cri/types.ts'
import { Cleanup, KeelsonError } from '../base/index.ts'
import type { PodDns, PodNetworkResult } from '../network/index.ts'
import { nowNs, type PodContext, sandboxDirectory } from './context.ts'
import { removePodFiles, writePodFiles } from './files.ts'
import { type NewSandbox, openHeldNamespaces, startHolder } from './holders.ts'
import { claimPodCgroup, undoPodCgroup } from './pod-cgroup.ts'
import type { SandboxRecord } from './records.ts'
import { rootOf } from './spec/id-maps.ts'
import { needsHolder, type PodNamespaces, podHostname, podNamespaces } from './spec/namespaces.ts'

/** What the namespaces of nearly every pod are made with, so that some can be made beforehand. */
export const usualNamespaces = {
  shmSizeBytes: 64 * 1024 * 1024,
  sysctls: {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  },
} as const

/**
 * Makes the pod's namespaces and network; no process is started, unless one has to hold namespaces (holders.ts).
 * Repeated with the same pod, uid and attempt it joins the first request, or returns its sandbox while that is ready.
 * It is not tied to its caller: one who gives up and asks again finds the work going on.
 */
export async function runPodSandbox(
  context: PodContext,
  { config, runtimeHandler }: RunPodSandboxRequest,
  restoredFrom?: string,
): Promise<RunPodSandboxResponse> {
  const checked = checkedConfig(config)
  if (!context.runtimeHandlers.includes(runtimeHandler)) {
    const known = context.runtimeHandlers.filter((name) => name !== '').map((name) => JSON.stringify(name))
    throw invalid(`unknown runtime handler ${JSON.stringify(runtimeHandler)}: there is ${known.join(', ')}`)
  }
  const ready = context.store
    .sandboxes()
    .find((one) => one.stoppedAtNs === undefined && isSame(one.config, checked))
  if (ready && restoredFrom !== undefined && ready.restoredFrom !== restoredFrom)
    throw new KeelsonError('ALREADY_EXISTS', `the pod is here already: sandbox ${ready.id}`, {
      op: 'RestorePod',
      id: ready.id,
      hint: 'remove it, or restore under another name, uid or attempt',
    })
  if (ready) return RunPodSandboxResponse.fromPartial({ podSandboxId: ready.id })
  const podSandboxId = await context.joined.sandboxes.run(identity(checked), () =>
    make(context, checked, { runtimeHandler, ...(restoredFrom === undefined ? {} : { restoredFrom }) }),
  )
  return RunPodSandboxResponse.fromPartial({ podSandboxId })
}

async function make(
  context: PodContext,
  config: PodSandboxConfig,
  facts: Pick<SandboxRecord, 'runtimeHandler' | 'restoredFrom'>,
): Promise<string> {
  const id = randomBytes(32).toString('hex')
  await using undo = new Cleanup()
  const directory = sandboxDirectory(context, id)
  undo.defer(() => removePodFiles(directory))
  const own = podNamespaces(config)
  const claim = await claimPodCgroup(context, id, config.linux?.cgroupParent ?? '')
  const { cgroupPath } = claim
  undo.defer(() => undoPodCgroup(context, id, cgroupPath))
  const { addresses, dns } = await makeNetwork(context, undo, { id, config, cgroupPath })
  await writePodFiles(directory, {
    hostname: podHostname(config) || hostname(),
    addresses,
    dns: dns ? mergedDns(config.dnsConfig, dns) : config.dnsConfig,
    hostNetwork: own.network === 'host',
    owner: rootOf(own.idMaps),
  })
  const createdAtNs = nowNs(context.clock)
  const { ownsCgroup } = claim
  const record = { id, config, ...facts, createdAtNs, addresses, cgroupPath, ownsCgroup }
  await context.store.putSandbox(record, 'created', 'started')
  undo.keep()
  if (needsHolder(own)) context.holders.watch(id, await context.runtime.get(id))
  return id
}

async function makeNetwork(
  context: PodContext,
  undo: Cleanup,
  sandbox: NewSandbox,
): Promise<PodNetworkResult> {
  const { pins, network } = context
  const { id, config } = sandbox
  const own = podNamespaces(config)
  await makeNamespaces(context, undo, sandbox, own)
  if (own.network === 'host') return { addresses: [] }
  using namespace = await pins.open(id, 'network')
  undo.defer(() => network.abandon(id))
  return await network.setUp({
    sandboxId: id,
    namespaceFd: namespace.fd,
    podNamespace: config.metadata?.namespace ?? '',
    podName: config.metadata?.name ?? '',
    podUid: config.metadata?.uid ?? '',
    portMappings: config.portMappings.filter(({ hostPort }) => hostPort > 0).map(portMapping),
    annotations: config.annotations,
    dns: config.dnsConfig,
    cgroupPath: sandbox.cgroupPath,
  })
}

/** List by list, what the pod says comes before what its network says. */
function mergedDns(asked: DNSConfig | undefined, { servers, searches, options }: PodDns): DNSConfig {
  const pick = (own: readonly string[] | undefined, network: readonly string[]) =>
    own && own.length > 0 ? [...own] : [...network]
  return {
    servers: pick(asked?.servers, servers),
    searches: pick(asked?.searches, searches),
    options: pick(asked?.options, options),
  }
}

/** Those that only a process can make are its, and are pinned like the others. */
async function makeNamespaces(
  context: PodContext,
  undo: Cleanup,
  sandbox: NewSandbox,
  own: PodNamespaces,
): Promise<void> {
  const { pins } = context
  const { id, config } = sandbox
  await using held = new Cleanup()
  const holder = needsHolder(own) ? await startHolder(context, undo, sandbox) : undefined
  const namespaceFds = holder && (await openHeldNamespaces(holder, own, held))
  undo.defer(() => pins.remove(id))
  await pins.create({
    id,
    network: own.network === 'pod',
    ipc: own.ipc === 'pod',
    ...(own.uts === 'pod' ? { uts: { hostname: podHostname(config) } } : {}),
    ...(own.ipc === 'pod' ? { shmSizeBytes: usualNamespaces.shmSizeBytes, owner: rootOf(own.idMaps) } : {}),
    ...(namespaceFds ? { namespaceFds } : {}),
    sysctls: podSysctls(config),
  })
}

/** Ports below 1024 and ping are for every user of a pod that has its own network, as with other CRI runtimes. */
export function podSysctls(config: PodSandboxConfig): Record<string, string> {
  const asked = config.linux?.sysctls ?? {}
  if (podNamespaces(config).network === 'host') return asked
  return { ...usualNamespaces.sysctls, ...asked }
}

function portMapping({ protocol, containerPort, hostPort, hostIp }: PortMapping) {
  const names = { [Protocol.UDP]: 'udp', [Protocol.SCTP]: 'sctp' } as const
  const name = protocol === Protocol.UDP || protocol === Protocol.SCTP ? names[protocol] : 'tcp'
  return { protocol: name, containerPort, hostPort, ...(hostIp ? { hostIp } : {}) } as const
}

function checkedConfig(config: PodSandboxConfig | undefined): PodSandboxConfig {
  if (!config?.metadata) throw invalid('a pod sandbox needs a config with metadata')
  if (config.metadata.name === '' || config.metadata.uid === '')
    throw invalid('the metadata of a pod sandbox needs a name and a uid')
  if (podNamespaces(config).network === 'pod' && config.hostname.length > 64)
    throw invalid(`the hostname ${config.hostname} is longer than 64 characters`)
  return config
}

function isSame({ metadata: one }: PodSandboxConfig, { metadata: other }: PodSandboxConfig): boolean {
  return (
    one?.uid === other?.uid &&
    one?.name === other?.name &&
    one?.namespace === other?.namespace &&
    one?.attempt === other?.attempt
  )
}

function identity({ metadata }: PodSandboxConfig): string {
  return JSON.stringify([metadata?.namespace, metadata?.name, metadata?.uid, metadata?.attempt])
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message, { op: 'RunPodSandbox' })
}
