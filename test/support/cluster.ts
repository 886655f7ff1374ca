import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ApiClient, createHttpTransport, readKubeconfig } from '../../src/api/index.ts'

const launcher = fileURLToPath(new URL('../../bin/keelson', import.meta.url))

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

/**
 * A cluster of its own, driven through the real program: own instance name, directories, ports and address ranges,
 * so that any number of them, and a user's cluster, live side by side. Disposing it is `keelson down`, and the
 * removal of its directories.
 */
export class TestCluster implements AsyncDisposable {
  readonly instance: string
  readonly dataDirectory: string
  readonly runDirectory: string
  /** What every command of this cluster is given. */
  readonly flags: readonly string[]
  static #count = 0

  static async create(name: string, extraFlags: string[] = []): Promise<TestCluster> {
    const base = await mkdtemp(`/var/tmp/keelson-${name}-`)
    // Several of one process, and those of processes started one after the other, are apart.
    const number = (process.pid + 61 * TestCluster.#count++) % 200
    const [port, kubeletPort] = await Promise.all([freePort(), freePort()])
    return new TestCluster(`t${process.pid}${name}`.slice(0, 20), base, [
      ...['--port', `${port}`, '--kubelet-port', `${kubeletPort}`, '--node-name', 'node-1'],
      ...[
        '--pod-cidr',
        `10.${number + 50}.0.0/16`,
        '--service-cidr',
        `172.${16 + (number % 16)}.${number}.0/24`,
      ],
      ...extraFlags,
    ])
  }

  private constructor(instance: string, base: string, flags: string[]) {
    this.instance = instance
    this.dataDirectory = join(base, 'data')
    // In memory, as /run of an ordinary machine is: on a disk a single rename may take milliseconds.
    this.runDirectory = join(existsSync('/dev/shm') ? '/dev/shm' : base, basename(base))
    this.flags = [
      '--instance',
      instance,
      '--data-dir',
      this.dataDirectory,
      '--run-dir',
      this.runDirectory,
      ...flags,
    ]
  }

  /** Those of them that `keelson cri` knows: it has nothing of a cluster's. */
  get criFlags(): string[] {
    const ofClusters = ['--port', '--kubelet-port', '--node-name', '--service-cidr']
    return this.flags.filter((_, at) => !ofClusters.includes(this.flags[at - (at % 2)] ?? ''))
  }

  get kubeconfig(): string {
    return join(this.dataDirectory, 'admin.kubeconfig')
  }

  /** Runs `keelson COMMAND` with this cluster's flags and waits for its end, whatever it is. */
  keelson(command: string, ...args: string[]): Promise<CommandResult> {
    return run(launcher, [command, ...this.flags, ...args])
  }

  async up(...args: string[]): Promise<CommandResult> {
    const result = await this.keelson('up', '-d', ...args)
    if (result.code !== 0) throw new Error(`keelson up: ${result.stderr}`)
    return result
  }

  kubectl(...args: string[]): Promise<CommandResult> {
    return run('kubectl', args, { KUBECONFIG: this.kubeconfig, HOME: this.dataDirectory })
  }

  /** As `kubectl`, with a manifest on standard input. */
  kubectlApply(verb: string, manifest: string, ...args: string[]): Promise<CommandResult> {
    return run(
      'kubectl',
      [verb, ...args, '-f', '-'],
      { KUBECONFIG: this.kubeconfig, HOME: this.dataDirectory },
      manifest,
    )
  }

  async client(): Promise<{ client: ApiClient } & AsyncDisposable> {
    const { transport } = await readKubeconfig(this.kubeconfig)
    const connection = createHttpTransport(transport)
    return {
      client: new ApiClient(connection),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { code, stderr } = await this.keelson('down')
    if (code !== 0) throw new Error(`keelson down: ${stderr}`)
    for (const directory of [this.runDirectory, join(this.dataDirectory, '..')])
      await rm(directory, { recursive: true, force: true })
  }
}

export function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input?: string,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20, timeout: 120_000 }
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
      resolve({ code, stdout, stderr: error && code === 255 ? `${stderr}${error.message}` : stderr })
    })
    child.stdin?.end(input ?? '')
  })
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

/** A process that stays until killed; its pid. For ports and sockets that are meant to be in use. */
export function hold(command: string, args: readonly string[]): Disposable & { pid: number } {
  const child = spawn(command, [...args], { stdio: 'ignore' })
  return { pid: child.pid ?? 0, [Symbol.dispose]: () => void child.kill('SIGKILL') }
}
