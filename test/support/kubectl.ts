import { spawn } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { formatKubeconfig } from '../../src/api/index.ts'
import type { TestApiServer } from './api-server.ts'

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

/** kubectl programs of this machine by name: `kubectl`, and `kubectl.1.27` and so on where several are installed. */
export function findKubectls(): Map<string, string> {
  const found = new Map<string, string>()
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const first = join(directory, 'kubectl')
    if (!existsSync(first)) continue
    if (!found.has('kubectl')) found.set('kubectl', first)
    const home = dirname(realpathSync(first))
    for (const name of readdirSync(home))
      if (/^kubectl\.\d+\.\d+$/.test(name)) found.set(name, join(home, name))
  }
  return found
}

/** Runs one kubectl against a test server, with its own home, cache and kubeconfig. */
export class Kubectl {
  readonly #program: string
  readonly #home: string
  readonly #kubeconfig: string

  private constructor(program: string, home: string, kubeconfig: string) {
    this.#program = program
    this.#home = home
    this.#kubeconfig = kubeconfig
  }

  static async create(
    program: string,
    cluster: TestApiServer,
    name: string,
    identity = cluster.pki.admin,
  ): Promise<Kubectl> {
    const home = join(cluster.directory, `home-${name}`)
    await mkdir(home, { recursive: true })
    const kubeconfig = join(home, 'kubeconfig')
    const { server, pki } = cluster
    const content = {
      name: 'test',
      server: server.url,
      ca: pki.authority,
      cert: identity.certificate,
      key: identity.key,
    }
    await writeFile(kubeconfig, formatKubeconfig(content))
    return new Kubectl(program, home, kubeconfig)
  }

  /** Starts it; `input` goes to its stdin. */
  start(args: readonly string[], input?: string) {
    const { PATH } = process.env
    const child = spawn(this.#program, ['--kubeconfig', this.#kubeconfig, ...args], {
      env: { PATH, HOME: this.#home, KUBECONFIG: this.#kubeconfig, KUBECTL_KUBERC: 'false' },
      stdio: 'pipe',
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    return child
  }

  async run(args: readonly string[], input?: string): Promise<Ran> {
    const child = this.start(args, input)
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, stdout, stderr }))
    })
  }
}
