import {
  type ApiClient,
  type ConfigMap,
  Informer,
  type KubernetesObject,
  type Pod,
  type ResourceType,
  resources,
  type Secret,
} from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'

export interface Reference {
  kind: 'ConfigMap' | 'Secret'
  name: string
}

/** Every ConfigMap and Secret that this pod's environment, volumes and pulls refer to. */
function referencesOf(pod: Pod): Reference[] {
  const found = new Map<string, Reference>()
  const add = (kind: Reference['kind'], name: string | undefined) => {
    if (name) found.set(`${kind}/${name}`, { kind, name })
  }
  for (const { name } of pod.spec.imagePullSecrets ?? []) add('Secret', name)
  for (const { env = [], envFrom = [] } of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const { valueFrom } of env) {
      add('ConfigMap', valueFrom?.configMapKeyRef?.name)
      add('Secret', valueFrom?.secretKeyRef?.name)
    }
    for (const { configMapRef, secretRef } of envFrom) {
      add('ConfigMap', configMapRef?.name)
      add('Secret', secretRef?.name)
    }
  }
  for (const { configMap, secret, projected } of pod.spec.volumes ?? []) {
    add('ConfigMap', configMap?.name)
    add('Secret', secret?.secretName)
    for (const source of projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name)
      add('Secret', source.secret?.name)
    }
  }
  return [...found.values()]
}

export interface ReferencedObjectsOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  /** An object that this pod refers to appeared, changed or went, or its first state is known now. */
  onChange(uid: string): void
}

interface Watched {
  uids: Set<string>
  synced: boolean
  stop: AbortController
  get(): KubernetesObject | undefined
}

/** The objects that the node's pods refer to, each kept by a watch of its own for as long as a pod needs it. */
export class ReferencedObjects {
  readonly #options: ReferencedObjectsOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: ReferencedObjectsOptions) {
    this.#options = options
  }

  /** Watches what the pod refers to. False while some of it is not known yet: `onChange` follows. */
  acquire(uid: string, pod: Pod): boolean {
    const namespace = pod.metadata.namespace ?? 'default'
    let synced = true
    for (const { kind, name } of referencesOf(pod)) {
      const key = `${kind}/${namespace}/${name}`
      const watched = this.#watched.get(key) ?? this.#open(key, kind, namespace, name)
      watched.uids.add(uid)
      synced &&= watched.synced
    }
    return synced
  }

  release(uid: string): void {
    for (const [key, watched] of this.#watched) {
      if (!watched.uids.delete(uid) || watched.uids.size > 0) continue
      watched.stop.abort()
      this.#watched.delete(key)
    }
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.#watched.get(`ConfigMap/${namespace}/${name}`)?.get() as ConfigMap | undefined
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#watched.get(`Secret/${namespace}/${name}`)?.get() as Secret | undefined
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop.abort()
    this.#watched.clear()
  }

  #open(key: string, kind: Reference['kind'], namespace: string, name: string): Watched {
    const type: ResourceType<ConfigMap> | ResourceType<Secret> =
      kind === 'ConfigMap' ? resources.configmaps : resources.secrets
    const { client, clock, log, onChange } = this.#options
    const informer = new Informer<KubernetesObject>({
      client,
      clock,
      log,
      type: type as ResourceType,
      namespace,
      fieldSelector: `metadata.name=${name}`,
    })
    const stop = new AbortController()
    const watched: Watched = {
      uids: new Set(),
      synced: false,
      stop,
      get: () => informer.get(`${namespace}/${name}`),
    }
    const tell = () => {
      for (const uid of watched.uids) onChange(uid)
    }
    informer.onChange(() => watched.synced && tell())
    informer.synced.then(
      () => {
        watched.synced = true
        tell()
      },
      () => undefined,
    )
    informer.start(stop.signal)
    this.#watched.set(key, watched)
    return watched
  }
}
