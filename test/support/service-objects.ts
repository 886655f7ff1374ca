import type {
  Change,
  EndpointSlice,
  KubernetesObject,
  Service,
  ServicePort,
  ServiceSpec,
} from '../../src/api/index.ts'
import { keyOf } from '../../src/api/index.ts'

export function service(
  name: string,
  clusterIP: string,
  ports: ServicePort[] = [{ port: 80 }],
  spec: Partial<ServiceSpec> = {},
): Service {
  return { metadata: { name, namespace: 'default' }, spec: { clusterIP, ports, ...spec } }
}

export interface SliceEndpoint {
  address: string
  ready?: boolean
  serving?: boolean
  terminating?: boolean
}

export function slice(
  serviceName: string,
  endpoints: readonly (string | SliceEndpoint)[],
  ports: EndpointSlice['ports'] = [{ port: 80 }],
): EndpointSlice {
  return {
    metadata: {
      name: `${serviceName}-1`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': serviceName },
    },
    addressType: 'IPv4',
    ports,
    endpoints: endpoints.map((endpoint) => {
      const { address, ...conditions } = typeof endpoint === 'string' ? { address: endpoint } : endpoint
      return { addresses: [address], conditions }
    }),
  }
}

/** What an informer looks like to its reader, changed by hand. */
export class FakeSource<T extends KubernetesObject> {
  synced: Promise<void> = Promise.resolve()
  #objects: T[] = []
  readonly #listeners = new Set<(change: Change<T>) => void>()

  list(): T[] {
    return this.#objects
  }

  onChange(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  set(...objects: T[]): void {
    this.#objects = objects
    for (const object of objects)
      for (const listener of this.#listeners)
        listener({ type: 'updated', key: keyOf(object), object, old: undefined })
  }
}
