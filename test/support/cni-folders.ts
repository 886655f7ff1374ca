import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/base/index.ts'
import type { NamespacePins, OwnedFd } from '../../src/kernel/index.ts'
import { findPeer, peerEnvironment } from './peers.ts'

/** The folders that a CNI runtime reads and writes, below one directory of a test. */
export class CniFolders {
  readonly confDir: string
  readonly binDir: string
  readonly cacheDir: string
  /** Every call of a scripted plugin: its command, its name, and what it read. */
  readonly #log: string

  private constructor(directory: string) {
    this.confDir = join(directory, 'net.d')
    this.binDir = join(directory, 'bin')
    this.cacheDir = join(directory, 'cache')
    this.#log = join(directory, 'calls')
  }

  static async make(directory: string): Promise<CniFolders> {
    const made = new CniFolders(directory)
    for (const folder of [made.confDir, made.binDir]) await mkdir(folder, { recursive: true })
    await writeFile(made.#log, '')
    return made
  }

  /** For a network of pods whose namespaces these pins hold. */
  options(pins: NamespacePins) {
    return {
      confDir: this.confDir,
      binDirs: [this.binDir],
      cacheDir: this.cacheDir,
      env: process.env,
      clock: systemClock,
      namespacePath: (id: string) => pins.networkPath(id),
    }
  }

  async configure(name: string, content: unknown): Promise<void> {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await writeFile(join(this.confDir, name), text)
  }

  /**
   * A plugin that is a shell script. It has its input in `$input`, and the call is written down before it runs.
   * Reads /dev/stdin as plugins of that kind do.
   */
  async script(type: string, script: string): Promise<void> {
    const head = `input=$(cat /dev/stdin)\nprintf '%s\\t%s\\t%s\\t%s\\n' "$CNI_COMMAND" ${type} "$CNI_NETNS" "$input" >> '${this.#log}'\n`
    await writeFile(join(this.binDir, type), `#!/bin/sh\n${head}${script}\n`, { mode: 0o755 })
  }

  async calls(): Promise<{ command: string; type: string; namespacePath: string; config: Config }[]> {
    const lines = (await readFile(this.#log, 'utf8')).split('\n').filter((line) => line !== '')
    return lines.map((line) => {
      const [command = '', type = '', namespacePath = '', config = ''] = line.split('\t')
      return { command, type, namespacePath, config: JSON.parse(config) as Config }
    })
  }

  /** `ADD bridge`, `ADD portmap`, … */
  async order(): Promise<string[]> {
    return (await this.calls()).map(({ command, type }) => `${command} ${type}`)
  }

  async attachments(): Promise<string[]> {
    return (await readdir(this.cacheDir)).filter((name) => name.endsWith('.json'))
  }

  /** No configuration, no call and no plugin any more. */
  async forget(): Promise<void> {
    for (const folder of [this.confDir, this.binDir])
      for (const name of await readdir(folder)) await rm(join(folder, name))
    await writeFile(this.#log, '')
  }

  /** Debian's plugins. They act on `host` as if that were the machine's own network; absent: on the caller's. */
  async installReal(host?: OwnedFd): Promise<void> {
    const folder = dirname(findPeer('cni-bridge') ?? '')
    const environment = Object.entries(peerEnvironment(['iptables']))
    const words = environment.map(([name, value]) => `${name}='${value}'`).join(' ')
    const enter = host ? `nsenter --net=/proc/${process.pid}/fd/${host.fd} --` : ''
    for (const type of await readdir(folder)) {
      const script = `#!/bin/sh\nexport ${words}\nexec ${enter} '${join(folder, type)}'\n`
      await writeFile(join(this.binDir, type), script, { mode: 0o755 })
    }
  }
}

/** What a plugin read, as far as tests look at it. */
export interface Config {
  name: string
  cniVersion: string
  type?: string
  capabilities?: unknown
  runtimeConfig?: Record<string, unknown>
  prevResult?: Record<string, unknown>
  [member: string]: unknown
}
