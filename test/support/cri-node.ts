/**
 * A CRI endpoint as its users see it: a process of its own in a network namespace of its own, a socket, real containers.
 * A test file makes one set of `criNodeTests`: its tests run one after the other on one node, for a node takes seconds to
 * start, and each must leave it as it found it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type CriClient, connectCri } from '../../cri/index.ts'
import { type ContainerConfig, ContainerState, type DeepPartial } from '../../cri/types.ts'
import { systemClock } from '../../src/base/index.ts'
import { removePinNamespace } from '../../src/kernel/index.ts'
import { killCgroup, planCgroup, readCgroupLayout, removeCgroup } from '../../src/oci/index.ts'
import { busyboxPath, writeBusyboxImage } from './busybox-image.ts'
import { eventually } from './eventually.ts'
import { containerConfig, createRequest, podConfig, runRequest } from './pod-requests.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** What a caller that never gives up hands in. */
export const call = { signal: new AbortController().signal }
setMaxListeners(0, call.signal)
const program = fileURLToPath(new URL('../e2e/cri-process.ts', import.meta.url))
let nodes = 0

/** A node process and a client of it. `crash` is kill -9; `start` brings it back on the same state. */
export class CriNode implements AsyncDisposable {
  readonly directory: string
  readonly instance = `ktest-cri-${process.pid}-${nodes++}`
  readonly #end: () => Promise<void>
  #process: ChildProcess | undefined
  #lines: AsyncIterator<string> | undefined
  client!: CriClient
  #stderr = ''

  private constructor(directory: string, end: () => Promise<void>) {
    this.directory = directory
    this.#end = end
  }

  /** `prepare` may add to the OCI layout that the node loads. */
  static async start(prepare?: (layout: string) => Promise<void>): Promise<CriNode> {
    const directory = await temporaryDirectory()
    const node = new CriNode(directory.path, async () => directory[Symbol.asyncDispose]())
    await writeBusyboxImage(join(node.directory, 'image'))
    await prepare?.(join(node.directory, 'image'))
    await node.start()
    return node
  }

  async start(): Promise<void> {
    const args = ['--net', process.execPath, '--import=tsx', program]
    this.#process = spawn(
      'unshare',
      [...args, this.directory, this.instance, join(this.directory, 'image')],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.#process.stderr?.on('data', (chunk) => {
      this.#stderr += chunk
    })
    if (!this.#process.stdout) throw new Error('no stdout')
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    const { value } = await this.#lines.next()
    if (value !== 'ready') throw new Error(`the node did not start:\n${this.#stderr}`)
    this.client = connectCri(join(this.directory, 'run/cri.sock'))
  }

  async crash(): Promise<void> {
    this.client.close()
    const ended = this.#process && once(this.#process, 'exit')
    this.#process?.kill('SIGKILL')
    await ended
  }

  get runtime() {
    return this.client.runtime
  }

  async pod(name = 'web', logDirectory = ''): Promise<string> {
    return (await this.runtime.runPodSandbox(runRequest(podConfig(name, { logDirectory })), call))
      .podSandboxId
  }

  async create(podId: string, name: string, more: DeepPartial<ContainerConfig>): Promise<string> {
    const config = containerConfig(name, { image: { image: 'busybox:test' }, ...more })
    return (await this.runtime.createContainer(createRequest(podId, config), call)).containerId
  }

  async run(podId: string, name: string, more: DeepPartial<ContainerConfig>): Promise<string> {
    const containerId = await this.create(podId, name, more)
    await this.runtime.startContainer({ containerId }, call)
    return containerId
  }

  async status(containerId: string) {
    const { status } = await this.runtime.containerStatus({ containerId, verbose: false }, call)
    if (!status) throw new Error('no status')
    return status
  }

  async exited(containerId: string) {
    return eventually('the container exits', async () => {
      const status = await this.status(containerId)
      return status.state === ContainerState.CONTAINER_EXITED && status
    })
  }

  async exec(containerId: string, ...cmd: string[]) {
    const { stdout, stderr, exitCode } = await this.runtime.execSync({ containerId, cmd, timeout: 10n }, call)
    return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode }
  }

  async pid(containerId: string): Promise<number> {
    const { info } = await this.runtime.containerStatus({ containerId, verbose: true }, call)
    return JSON.parse(info['info'] ?? '{}').pid
  }

  /** Uses a streaming URL from beside the node: it listens on the loopback of the node's namespace. */
  async stream(url: string, stdin?: string, port?: number): Promise<Record<string, string>> {
    this.#process?.stdin?.write(`${JSON.stringify({ url, stdin, port })}\n`)
    const line = await this.#lines?.next()
    return JSON.parse(line?.value ?? '{}')
  }

  /** Cgroups, mounts, files and writable layers of pods; the mount namespace of the pins stays as long as the node. */
  async leftovers(): Promise<string[]> {
    const { v1, v2 } = readCgroupLayout()
    const groups = [...v1, ...(v2 ? [v2] : [])].map(({ mountPoint }) => join(mountPoint, this.instance))
    const containers = groups.flatMap(async (group) =>
      (await readdir(group, { recursive: true }).catch(() => [])).filter((name) => /[0-9a-f]{64}/.test(name)),
    )
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .filter((line) => line.includes(this.directory) && !line.includes('/run/pins'))
    const files = await readdir(join(this.directory, 'run/pods'))
    const states = await readdir(join(this.directory, 'run/containers')).catch(() => [])
    const layers = await readdir(join(this.directory, 'data/image/snapshots')).catch(() => [])
    return [...(await Promise.all(containers)).flat(), ...mounts, ...files, ...states, ...layers]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash()
    const layout = readCgroupLayout()
    const { leaves } = planCgroup({ layout, path: `/${this.instance}` })
    await killCgroup(leaves)
    await removeCgroup(leaves, { clock: systemClock })
    await removePinNamespace({ runDirectory: join(this.directory, 'run') })
    await this.#end()
  }
}

const able = process.getuid?.() === 0 && existsSync(busyboxPath)

export type NodeTest = (title: string, body: (t: ExecutionContext, node: CriNode) => Promise<void>) => void

export function criNodeTests(prepare?: (layout: string) => Promise<void>): NodeTest {
  let shared: Promise<CriNode> | undefined
  test.after.always('the node ends', async () => {
    await (await shared)?.[Symbol.asyncDispose]()
  })
  return (title, body) => {
    if (!able) {
      test.skip(`${title} (needs root and busybox-static)`, () => undefined)
      return
    }
    test.serial(title, async (t) => {
      shared ??= CriNode.start(prepare)
      const node = await shared
      try {
        await body(t, node)
      } finally {
        const { items } = await node.runtime.listPodSandbox({ filter: undefined }, call)
        for (const { id } of items) await node.runtime.removePodSandbox({ podSandboxId: id }, call)
      }
      t.deepEqual(await node.leftovers(), [])
      t.is((await node.runtime.listContainers({ filter: undefined }, call)).containers.length, 0)
    })
  }
}
