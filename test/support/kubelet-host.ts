import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readCgroupLayout } from '../../src/oci/index.ts'
import type { CriEndpoint } from './cri-endpoint.ts'
import { eventually } from './eventually.ts'

/**
 * What a kubelet wants the machine set to. It finds it so: these files lie in front of the machine's own, which are
 * nobody's to change here, in a mount namespace of the kubelet's.
 */
const sysctls = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
}

/** A stock kubelet without an API server: it runs the pods that manifests in a directory describe. */
export class StandaloneKubelet implements AsyncDisposable {
  readonly #endpoint: CriEndpoint
  readonly #child: ChildProcess

  /** `settings` go into its configuration, beside what makes it one of its own on this machine. */
  static async start(program: string, endpoint: CriEndpoint, settings: object): Promise<StandaloneKubelet> {
    const folder = join(endpoint.directory, 'kubelet')
    const manifests = join(folder, 'manifests')
    await mkdir(manifests, { recursive: true })
    for (const cgroup of cgroupsOf(endpoint)) await mkdir(cgroup, { recursive: true })
    const config = join(folder, 'config.yaml')
    const whole = {
      ...settings,
      staticPodPath: manifests,
      podLogsDir: join(folder, 'logs'),
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      cgroupRoot: `/${cgroupName(endpoint)}`,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      failCgroupV1: false,
      evictionHard: { 'nodefs.available': '1%' },
    }
    await writeFile(config, stringify(whole))
    const words = ['--config', config, '--root-dir', join(folder, 'root'), '--cert-dir', join(folder, 'pki')]
    const [command, args] = endpoint.network.enter(
      ...[
        'unshare',
        '--mount',
        '--propagation',
        'private',
        '--',
        'sh',
        '-c',
        await inFront(folder),
        program,
        ...words,
      ],
      ...['--hostname-override', 'node-1', '--node-ip', '127.0.0.1', '--v', '2'],
    )
    const log = openSync(join(folder, 'log'), 'a')
    return new StandaloneKubelet(endpoint, spawn(command, args, { stdio: ['ignore', log, log] }))
  }

  private constructor(endpoint: CriEndpoint, child: ChildProcess) {
    this.#endpoint = endpoint
    this.#child = child
  }

  get logPath(): string {
    return join(this.#endpoint.directory, 'kubelet/log')
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async apply(name: string, pod: object): Promise<void> {
    await writeFile(join(this.#endpoint.directory, 'kubelet/manifests', `${name}.yaml`), stringify(pod))
  }

  /** What it answers at its own port. */
  async get(path: string): Promise<string> {
    const { stdout } = await this.#endpoint.network.run('/bin/busybox', [
      ...['wget', '-q', '-O', '-', '--no-check-certificate', `https://127.0.0.1:10250${path}`],
    ])
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) {
      const ended = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await ended
    }
    await eventually('its cgroups are gone', () => removed(this.#endpoint), 20_000)
  }
}

async function inFront(folder: string): Promise<string> {
  const mounts = Object.entries(sysctls).map(async ([name, value]) => {
    const path = join(folder, name.replaceAll('/', '.'))
    await writeFile(path, `${value}\n`)
    return `mount --bind ${path} /proc/sys/${name}`
  })
  return `${(await Promise.all(mounts)).join(' && ')} && exec "$0" "$@"`
}

const cgroupName = ({ instance }: CriEndpoint) => `${instance}-kubelet`

function cgroupsOf(endpoint: CriEndpoint): string[] {
  const { v1, v2 } = readCgroupLayout()
  return [...v1, ...(v2 ? [v2] : [])].map(({ mountPoint }) => join(mountPoint, cgroupName(endpoint)))
}

async function removed(endpoint: CriEndpoint): Promise<boolean> {
  const there = cgroupsOf(endpoint).filter((path) => existsSync(path))
  for (const path of there) await removeTree(path)
  return there.every((path) => !existsSync(path))
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  await rmdir(folder).catch(() => undefined)
}
