import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type * as cri from '../../cri/types.ts'
import type { Informer, Pod, Service } from '../api/index.ts'
import type { EnvironmentSources } from './environment.ts'
import { hostNetworkHostsFile, podHostsFile } from './hosts-file.ts'
import type { NodeFacts } from './node-facts.ts'
import { identityOf } from './pod-identity.ts'
import { pullCredentials } from './pull-secrets.ts'
import type { ReferencedObjects } from './referenced-objects.ts'
import { hostnameOf } from './sandbox-config.ts'
import { serviceEnvironment } from './service-environment.ts'

/** What pods draw from the API and the node: environment, volume contents, hosts file, credentials. */
export class PodSources {
  readonly #objects: ReferencedObjects
  readonly #services: Informer<Service>
  readonly #node: NodeFacts

  constructor(objects: ReferencedObjects, services: Informer<Service>, node: NodeFacts) {
    this.#objects = objects
    this.#services = services
    this.#node = node
  }

  environment(pod: Pod, podIPs: readonly string[]): EnvironmentSources {
    const { namespace } = identityOf(pod)
    const links = pod.spec.enableServiceLinks !== false
    return {
      configMap: (name) => this.#objects.configMap(namespace, name),
      secret: (name) => this.#objects.secret(namespace, name),
      services: serviceEnvironment(this.#services.list(), namespace, links),
      podIPs: this.#addresses(pod, podIPs),
      hostIPs: this.#node.hostIPs,
      allocatable: this.#node.allocatable,
    }
  }

  pullCredentials(pod: Pod, image: string): cri.AuthConfig | undefined {
    const { namespace } = identityOf(pod)
    const secrets = (pod.spec.imagePullSecrets ?? [])
      .map(({ name = '' }) => this.#objects.secret(namespace, name))
      .filter((one) => one !== undefined)
    return pullCredentials(image, secrets)
  }

  podDirectory(pod: Pod): string {
    return join(this.#node.podsDirectory, identityOf(pod).uid)
  }

  /** Writes the pod's /etc/hosts and tells where it is. */
  async hostsFile(pod: Pod, podIPs: readonly string[]): Promise<string> {
    const path = join(this.podDirectory(pod), 'etc-hosts')
    const text = pod.spec.hostNetwork
      ? hostNetworkHostsFile(pod, this.#node.hostsText)
      : podHostsFile(pod, podIPs, hostnameOf(pod), this.#node.clusterDns?.domain ?? 'cluster.local')
    await mkdir(this.podDirectory(pod), { recursive: true, mode: 0o750 })
    // In place, not by rename: running containers have this very file mounted.
    await writeFile(path, text, { mode: 0o644 })
    return path
  }

  #addresses(pod: Pod, podIPs: readonly string[]): readonly string[] {
    return pod.spec.hostNetwork ? this.#node.hostIPs : podIPs
  }
}
