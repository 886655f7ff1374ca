import { setMaxListeners } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ImageService, RuntimeService } from '../../cri/service.ts'
import {
  type ApiClient,
  type Change,
  EventRecorder,
  Informer,
  type NodeAddress,
  type Pod,
  resources,
  type Service,
} from '../api/index.ts'
import { type Clock, KeelsonError, type Logger, WorkQueue } from '../base/index.ts'
import type { Released } from './container-stopper.ts'
import { type ClusterDns, parseResolvConf } from './dns.ts'
import { ImagePuller } from './image-puller.ts'
import { label } from './labels.ts'
import { NodeAgent } from './node-agent.ts'
import type { NodeFacts } from './node-facts.ts'
import { hostCapacity, resourceList, systemInfo } from './node-status.ts'
import { PodChanges } from './pod-changes.ts'
import { PodEvents } from './pod-events.ts'
import { identityOf, isTerminal } from './pod-identity.ts'
import { PodReconciler } from './pod-reconciler.ts'
import { PodRuntimeReader } from './pod-runtime.ts'
import { PodSources } from './pod-sources.ts'
import { Prober } from './prober.ts'
import { ReferencedObjects } from './referenced-objects.ts'
import { KubeletServer, type ServerTls } from './server/kubelet-server.ts'
import { StatusManager } from './status-manager.ts'
import { VolumeManager, type VolumeMounter } from './volumes/volume-manager.ts'

export interface KubeletOptions {
  nodeName: string
  client: ApiClient
  runtime: RuntimeService
  image: ImageService
  /** Pods' data and logs lie in `pods/` and `logs/pods/` below it. */
  dataDirectory: string
  /** The node's addresses; the first InternalIP is the primary one. */
  addresses: readonly NodeAddress[]
  serverTls: ServerTls
  /** Of the HTTPS server; 10250 by custom, 0 takes a free one. */
  port: number
  /** Address the HTTPS server listens on; all of them when left out. */
  listenAddress?: string
  /** Users that may call the HTTPS server beside members of system:masters. */
  allowedUsers?: readonly string[]
  clusterDns?: ClusterDns
  labels?: Readonly<Record<string, string>>
  maxPods?: number
  /** Version the node reports; its minor is what the API server and kubectl compare with. */
  version?: string
  /** Parent cgroup of all pods; left to the runtime by default. */
  cgroupParent?: string
  mounter?: VolumeMounter
  /** Resolves when nobody is led to these addresses any more; containers of a deleted pod are stopped after that. */
  released?: Released
  clock: Clock
  log: Logger
  /** How many pods are worked on at a time. */
  concurrency?: number
}

export interface Kubelet {
  /** Port of the HTTPS server. */
  readonly port: number
  /** Resolves when the node is registered, its status reported and its pods are being worked on. */
  start(signal: AbortSignal): Promise<void>
  /** Reports the node NotReady and lets go of everything. Pods go on running. */
  stop(): Promise<void>
}

const relistMs = 300_000
/** On a small machine the events of a start would take the CPU from the start itself. */
const eventDelayMs = 100
const eventsBackoffMs = 1000
const serviceSyncMaxMs = 10_000

/** Makes the pods of one node real through a CRI runtime. Opens the HTTPS server; `start` does the rest. */
export async function createKubelet(options: KubeletOptions): Promise<Kubelet> {
  const node = await nodeFacts(options)
  await mkdir(node.podsDirectory, { recursive: true, mode: 0o750 })
  await mkdir(node.logsDirectory, { recursive: true, mode: 0o755 })
  const { version, ...runtime } = await runtimeVersion(options.runtime)
  return RunningKubelet.create(options, { ...node, runtimeName: runtime.name }, version)
}

async function runtimeVersion(runtime: RuntimeService): Promise<{ name: string; version: string }> {
  const call = { signal: new AbortController().signal }
  const { runtimeName, runtimeVersion } = await runtime.version({ version: '0.1.0' }, call)
  return { name: runtimeName, version: `${runtimeName}://${runtimeVersion}` }
}

async function nodeFacts(options: KubeletOptions): Promise<NodeFacts> {
  const { dataDirectory, addresses, nodeName, maxPods = 110 } = options
  await mkdir(dataDirectory, { recursive: true })
  const capacity = await hostCapacity(dataDirectory)
  const textOf = (path: string) => readFile(path, 'utf8').catch(() => '')
  return {
    nodeName,
    hostIPs: addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    runtimeName: '',
    memoryCapacityBytes: capacity.memoryBytes,
    allocatable: resourceList(capacity, maxPods),
    clusterDns: options.clusterDns,
    resolvConf: parseResolvConf(await textOf('/etc/resolv.conf')),
    hostsText: await textOf('/etc/hosts'),
    podsDirectory: join(dataDirectory, 'pods'),
    logsDirectory: join(dataDirectory, 'logs', 'pods'),
    seccompDirectory: join(dataDirectory, 'seccomp'),
    cgroupParent: options.cgroupParent ?? '',
  }
}

class RunningKubelet implements Kubelet {
  readonly #options: KubeletOptions
  readonly #node: NodeFacts
  readonly #desired = new Map<string, Pod>()
  readonly #stopped = new AbortController()
  readonly #changes = new PodChanges()
  readonly #pods: Informer<Pod>
  readonly #services: Informer<Service>
  readonly #recorder: EventRecorder
  readonly #events: PodEvents
  readonly #reader: PodRuntimeReader
  readonly #objects: ReferencedObjects
  readonly #prober: Prober
  readonly #statuses: StatusManager
  readonly #volumes: VolumeManager
  readonly #reconciler: PodReconciler
  readonly #queue: WorkQueue<string>
  #server: KubeletServer | undefined
  #agent: NodeAgent | undefined
  readonly #runtimeVersion: string
  #relist: () => void = () => {}

  private constructor(options: KubeletOptions, node: NodeFacts, version: string) {
    const { client, clock, log, nodeName, runtime } = options
    const { signal } = this.#stopped
    setMaxListeners(0, signal) // every container that ends or is pulled for listens: many are no leak
    const again = (uid: string) => this.#queue.add(uid)
    const desired = (uid: string) => this.#desired.get(uid)
    this.#options = options
    this.#node = node
    this.#runtimeVersion = version
    const fieldSelector = `spec.nodeName=${nodeName}`
    this.#pods = new Informer({ client, clock, log, type: resources.pods, fieldSelector })
    this.#services = new Informer({ client, clock, log, type: resources.services })
    this.#recorder = new EventRecorder({
      client,
      clock,
      log,
      component: 'kubelet',
      host: nodeName,
      delayMs: eventDelayMs,
    })
    this.#events = new PodEvents(this.#recorder)
    this.#reader = new PodRuntimeReader(runtime)
    this.#objects = new ReferencedObjects({
      client,
      clock,
      log,
      onChange: (uid) => this.#reconciler.forgive(uid),
    })
    this.#prober = new Prober({
      runtime,
      clock,
      log,
      onChange: again,
      onFailure: (pod, { name }, text) => this.#events.container(pod, name, 'Warning', 'Unhealthy', text),
    })
    this.#statuses = new StatusManager({ client, clock, log, desired })
    this.#volumes = new VolumeManager({ podsDirectory: node.podsDirectory, mounter: options.mounter })
    this.#reconciler = new PodReconciler({
      client,
      runtime,
      reader: this.#reader,
      images: new ImagePuller({ image: options.image, clock, signal, onDone: again }),
      volumes: this.#volumes,
      objects: this.#objects,
      sources: new PodSources(this.#objects, this.#services, node),
      prober: this.#prober,
      statuses: this.#statuses,
      events: this.#events,
      released: options.released,
      node,
      clock,
      log,
      signal,
      desired,
      again,
    })
    this.#queue = new WorkQueue<string>({
      clock,
      concurrency: options.concurrency ?? 16,
      backoffMaxMs: 10_000,
      worker: (uid) => this.#reconciler.reconcile(uid),
      onError: (uid, error, attempt) => {
        if (!signal.aborted) log.warn('pod not reconciled', { uid, attempt, error })
      },
    })
  }

  static async create(options: KubeletOptions, node: NodeFacts, version: string): Promise<RunningKubelet> {
    const kubelet = new RunningKubelet(options, node, version)
    kubelet.#server = await KubeletServer.start({
      runtime: options.runtime,
      reader: kubelet.#reader,
      podNamed: (namespace, name) => kubelet.#pods.get(`${namespace}/${name}`),
      port: options.port,
      address: options.listenAddress,
      tls: options.serverTls,
      allowedUsers: options.allowedUsers ?? [],
      logsDirectory: node.logsDirectory,
      changes: kubelet.#changes,
      pods: () => [...kubelet.#desired.values()],
      clock: options.clock,
      log: options.log,
    })
    return kubelet
  }

  get port(): number {
    return this.#server?.port ?? 0
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#stopped.abort(signal.reason), { once: true })
    const both = this.#stopped.signal
    this.#services.start(both)
    this.#pods.start(both)
    const agent = await this.#createAgent()
    await agent.start(both)
    this.#agent = agent
    await this.#pods.synced
    // Variables of Services belong into the first container already; but pods do not wait for them forever.
    await Promise.race([this.#services.synced, this.#options.clock.sleep(serviceSyncMaxMs, both)])
    void this.#followRuntime(both)
    this.#pods.onChange((change) => this.#take(change))
    await this.#lookAtAll(both)
    this.#scheduleRelist(both)
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new KeelsonError('CANCELLED', 'the kubelet stops'))
    this.#relist()
    this.#prober.close()
    this.#objects.close()
    await this.#queue.close()
    await this.#statuses.close()
    await this.#recorder.close()
    await this.#agent
      ?.stop('the kubelet was stopped; containers go on running')
      .catch((error) => this.#options.log.warn('node not reported as stopped', { error }))
    await this.#server?.[Symbol.asyncDispose]()
    await Promise.all([this.#pods.stopped(), this.#services.stopped()])
  }

  async #createAgent(): Promise<NodeAgent> {
    const { labels = {}, version } = this.#options
    return new NodeAgent({
      ...this.#options,
      labels,
      resources: this.#node.allocatable,
      nodeInfo: await systemInfo(version ?? 'v1.36.0', this.#runtimeVersion),
      kubeletPort: this.port,
    })
  }

  #take({ type, object: pod, old }: Change<Pod>): void {
    const { uid } = identityOf(pod)
    if (type === 'removed') this.#desired.delete(uid)
    else this.#desired.set(uid, pod)
    if (type === 'added') this.#admit(uid, pod)
    if (!old || !this.#isEcho(uid, old, pod)) this.#queue.add(uid)
  }

  /** Our own status coming back, and nothing of anybody else's with it. */
  #isEcho(uid: string, old: Pod, pod: Pod): boolean {
    return (
      this.#statuses.isOwnWrite(uid, pod) &&
      old.metadata.deletionTimestamp === pod.metadata.deletionTimestamp &&
      isDeepStrictEqual(old.spec, pod.spec)
    )
  }

  /** The scheduler counts pods too, but two schedulers, or none (spec.nodeName), may disagree with it. */
  #admit(uid: string, pod: Pod): void {
    const others = [...this.#desired.values()].filter((one) => one !== pod && !isTerminal(one))
    if (others.length < Number(this.#node.allocatable.pods) || isTerminal(pod) || pod.status?.startTime)
      return
    this.#reconciler.reject(
      uid,
      'OutOfpods',
      `Node didn't have enough resource: pods, capacity: ${others.length}`,
    )
  }

  /** Each event says which pod to look at, nothing more. A stream that ends may have lost some: look at all. */
  async #followRuntime(signal: AbortSignal): Promise<void> {
    const { runtime, clock, log } = this.#options
    while (!signal.aborted) {
      try {
        for await (const event of runtime.getContainerEvents({}, { signal })) {
          const uid = event.podSandboxStatus?.labels[label.podUid] ?? event.podSandboxStatus?.metadata?.uid
          if (uid === undefined) continue
          this.#changes.tell(uid)
          this.#queue.add(uid)
        }
      } catch (error) {
        if (!signal.aborted) log.warn('container events ended', { error })
      }
      await clock.sleep(eventsBackoffMs, signal).catch(() => undefined)
      if (!signal.aborted) await this.#lookAtAll(signal)
    }
  }

  /** Every pod that the API wants, the runtime runs, or the disk has data of. */
  async #lookAtAll(signal: AbortSignal): Promise<void> {
    try {
      const running = await this.#reader.podUids({ signal })
      const uids = new Set([...this.#desired.keys(), ...running, ...(await this.#volumes.podUids())])
      for (const uid of uids) this.#queue.add(uid)
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn('pods of the runtime not listed', { error })
    }
  }

  /** The safety net below the events. */
  #scheduleRelist(signal: AbortSignal): void {
    this.#relist = this.#options.clock.after(relistMs, () => {
      if (signal.aborted) return
      void this.#lookAtAll(signal).then(() => this.#scheduleRelist(signal))
    })
  }
}
