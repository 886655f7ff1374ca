import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Pod, type PodSpec, resources } from '../../src/api/index.ts'
import { silentLogger } from '../../src/base/index.ts'
import { createKubelet, type Kubelet, type KubeletOptions } from '../../src/kubelet/index.ts'
import { FakeApi } from './fake-api.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { FakeCri } from './fake-cri.ts'
import { selfSigned } from './self-signed.ts'

/** A kubelet between an API server and a runtime that both are in memory, with time standing still. */
export class Scene {
  readonly clock = new FakeClock()
  readonly api = new FakeApi({ nowMs: () => this.clock.nowMs() })
  readonly cri = new FakeCri(this.clock)
  readonly dataDirectory: string
  kubelet: Kubelet | undefined

  private constructor(dataDirectory: string) {
    this.dataDirectory = dataDirectory
  }

  static async open(t: ExecutionContext, options: Partial<KubeletOptions> = {}): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'keelson-kubelet-')))
    t.teardown(() => scene.close())
    await scene.start(options)
    return scene
  }

  async start(options: Partial<KubeletOptions> = {}): Promise<void> {
    const { certificate, key } = await tls()
    this.kubelet = await createKubelet({
      nodeName: 'n1',
      client: this.api.client,
      runtime: this.cri.runtime,
      image: this.cri.image,
      dataDirectory: this.dataDirectory,
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      serverTls: { certificate, key, clientCa: certificate },
      port: 0,
      listenAddress: '127.0.0.1',
      clock: this.clock,
      log: silentLogger,
      ...options,
    })
    await this.kubelet.start(new AbortController().signal)
    await this.rest()
  }

  async stop(): Promise<void> {
    await this.kubelet?.stop()
    this.kubelet = undefined
  }

  async close(): Promise<void> {
    await this.stop()
    await rm(this.dataDirectory, { recursive: true, force: true })
  }

  /** Waits until nothing moves any more: no request, no call, no file operation for some turns of the event loop. */
  async rest(): Promise<void> {
    for (let quiet = 0, seen = -1; quiet < 12; ) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      await settle()
      const now = this.api.requests.length + this.cri.calls.length
      const files = process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
      quiet = now === seen && !files ? quiet + 1 : 0
      seen = now
    }
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await this.rest()
  }

  async create(name: string, spec: Partial<PodSpec> & Pick<PodSpec, 'containers'>): Promise<Pod> {
    const pod = await this.api.client.create(resources.pods, {
      metadata: { name, namespace: 'default' },
      spec: { nodeName: 'n1', restartPolicy: 'Always', terminationGracePeriodSeconds: 30, ...spec },
    })
    await this.rest()
    return pod
  }

  pod(name: string): Promise<Pod> {
    return this.api.client.get(resources.pods, { namespace: 'default', name })
  }

  find(name: string): Promise<Pod | undefined> {
    return this.api.client.find(resources.pods, { namespace: 'default', name })
  }

  async remove(name: string, gracePeriodSeconds?: number): Promise<void> {
    const ref = { namespace: 'default', name }
    await this.api.client.delete(resources.pods, ref, { gracePeriodSeconds })
    await this.rest()
  }

  async eventReasons(): Promise<string[]> {
    await this.advance(100) // the kubelet writes them a little later
    const { items } = await this.api.client.list(resources.events, {})
    return items.map(({ reason = '' }) => reason)
  }
}

let shared: Promise<{ certificate: string; key: string }> | undefined

function tls(): Promise<{ certificate: string; key: string }> {
  shared ??= selfSigned().then(({ cert, key }) => ({ certificate: cert, key }))
  return shared
}

export function statusOf(pod: Pod, type: string): string | undefined {
  return pod.status?.conditions?.find((one) => one.type === type)?.status
}
