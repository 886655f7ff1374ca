import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { createServer, type Server, Socket } from 'node:net'
import {
  changeNetwork,
  connectLoopback,
  inNamespace,
  type OwnedFd,
  ownFd,
  setLinkUp,
} from '../../src/kernel/index.ts'
import { systemPath } from './inside.ts'

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
  input?: string
  timeoutMs?: number
}

/**
 * A network namespace that stands for a machine's own, with nothing but its loopback, not even a default route.
 * Programs started in it change its addresses, routes, rules and sysctls and nobody else's, so that clusters run
 * side by side with their default ports and ranges, and what one leaves behind is seen exactly.
 */
export class OwnNetwork implements AsyncDisposable {
  readonly fd: OwnedFd
  readonly #holder: ChildProcess
  readonly #bridges: Server[] = []

  static async create(): Promise<OwnNetwork> {
    const holder = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo ready; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const fd = ownFd(openSync(`/proc/${holder.pid}/ns/net`, 'r'))
    await changeNetwork(inNamespace(fd.fd, setLinkUp('lo')))
    return new OwnNetwork(holder, fd)
  }

  private constructor(holder: ChildProcess, fd: OwnedFd) {
    this.#holder = holder
    this.fd = fd
  }

  /** The process that keeps the namespace: the only one in it that is not the program's. */
  get holderPid(): number {
    return this.#holder.pid ?? 0
  }

  /** The words that run a command inside. */
  enter(...command: string[]): [string, string[]] {
    return ['nsenter', [`--net=/proc/${this.holderPid}/ns/net`, '--', ...command]]
  }

  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return run(...this.enter(command, ...args), options)
  }

  /** A port of this test's own loopback that leads to `port` of the namespace's loopback. */
  async bridge(port: number): Promise<number> {
    const server = createServer((outer) => {
      connectLoopback(this.fd.fd, port).then(
        (owned) => {
          const inner = new Socket({ fd: owned.fd }) // which closes it
          for (const [one, other] of [
            [inner, outer],
            [outer, inner],
          ] as const)
            one.on('error', () => other.destroy()).pipe(other)
        },
        () => outer.destroy(),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    this.#bridges.push(server)
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#bridges) server.close()
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await ended
    this.fd[Symbol.dispose]()
  }
}

/** Waits for the end of a program, whatever it is; 255 stands for one that was killed or not found. */
export function run(
  command: string,
  args: readonly string[],
  { env = {}, input, timeoutMs = 60_000 }: RunOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = {
      env: { ...process.env, PATH: systemPath, ...env },
      maxBuffer: 64 * 2 ** 20,
      timeout: timeoutMs,
    }
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
      resolve({ code, stdout, stderr: error && code === 255 ? `${stderr}${error.message}` : stderr })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input ?? '')
  })
}
