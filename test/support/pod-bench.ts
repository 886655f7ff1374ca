import { join } from 'node:path'
import { silentLogger } from '../../src/base/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { createPodService, type PodService } from '../../src/pod/index.ts'
import { FakeClock } from './fake-clock.ts'
import { FakePodHost } from './fake-pod-host.ts'
import { containerConfig, createRequest, podConfig, runRequest } from './pod-requests.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** What a caller that never gives up hands in. */
export const call = { signal: new AbortController().signal }

/** A service on a fake host; `restart` ends it and makes another on the same host and ledger. */
export class Bench implements AsyncDisposable {
  readonly host = new FakePodHost()
  readonly clock = new FakeClock()
  readonly path: string
  readonly #end: () => Promise<void>
  service!: PodService
  #ledger: Awaited<ReturnType<typeof openLedger>> | undefined

  private constructor(path: string, end: () => Promise<void>) {
    this.path = path
    this.#end = end
  }

  static async open(): Promise<Bench> {
    const directory = await temporaryDirectory()
    const bench = new Bench(directory.path, async () => directory[Symbol.asyncDispose]())
    await bench.restart()
    return bench
  }

  async restart(): Promise<void> {
    await this.service?.[Symbol.asyncDispose]()
    await this.#ledger?.[Symbol.asyncDispose]()
    this.#ledger = await openLedger({ path: join(this.path, 'ledger') })
    const { host, clock } = this
    this.service = await createPodService({
      ...host,
      ledger: this.#ledger,
      cgroupInstance: `keelson-test-${process.pid}`,
      runDirectory: join(this.path, 'run'),
      programPath: join(this.path, 'bin'),
      version: '1.2.3',
      clock,
      log: silentLogger,
    })
  }

  get ledger() {
    if (!this.#ledger) throw new Error('no ledger')
    return this.#ledger
  }

  get runtime() {
    return this.service.runtime
  }

  async pod(name = 'web'): Promise<string> {
    return (await this.runtime.runPodSandbox(runRequest(podConfig(name)), call)).podSandboxId
  }

  async container(podId: string, more: Parameters<typeof containerConfig>[1] = {}): Promise<string> {
    const request = createRequest(podId, containerConfig('main', more))
    return (await this.runtime.createContainer(request, call)).containerId
  }

  async running(more: Parameters<typeof containerConfig>[1] = {}) {
    const podId = await this.pod()
    const id = await this.container(podId, more)
    await this.runtime.startContainer({ containerId: id }, call)
    return { podId, id, live: this.host.runtime.container(id) }
  }

  async status(containerId: string) {
    const { status } = await this.runtime.containerStatus({ containerId, verbose: false }, call)
    if (!status) throw new Error('no status')
    return status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.#ledger?.[Symbol.asyncDispose]()
    await this.#end()
  }
}
