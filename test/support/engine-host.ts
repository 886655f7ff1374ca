import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Cleanup, hasErrno } from '../../src/base/index.ts'
import { type CommandResult, type RunOptions, run } from './own-network.ts'
import { type PeerName, peerEnvironment } from './peers.ts'

/**
 * The first process: empty directories where engines keep things, an /etc that can be written, and then a wait that
 * takes in whatever loses its parent, as an init does. It ends when its standard input does, and all others with it.
 */
const firstProcess = `
  for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 none $folder; done
  mkdir -p /run/etc/upper /run/etc/work /run/lock
  mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work none /etc
  ip link set lo up
  exec 3<&0
  cat <&3 >/dev/null &
  echo ready
  wait $!`

/**
 * A machine of its own for a container engine: mount, network, IPC and process namespaces, in which its daemons, shims and
 * monitors end with the first process, and nothing of the host's /run, /var/lib or /etc is changed. The cgroup
 * hierarchies are the host's, so engines are told to stay below `cgroup`, which is removed at the end.
 */
export class EngineHost implements AsyncDisposable {
  /** Seen from inside and outside by the same path. */
  readonly folder: string
  /** Name of the cgroup, in every hierarchy, that this machine's containers belong below. */
  readonly cgroup: string
  readonly env: Record<string, string>
  readonly #first: ChildProcess
  readonly #undo: Cleanup

  static async create(kind: string, peers: readonly PeerName[]): Promise<EngineHost> {
    await using undo = new Cleanup()
    const folder = await mkdtemp(join(tmpdir(), `keelson-${kind}-`))
    undo.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    const cgroup = `kt-${kind}-${process.pid}`
    undo.defer(() => removeCgroups(cgroup))
    const flags = ['--mount', '--net', '--ipc', '--pid', '--propagation', 'private', '--mount-proc', '--fork']
    const first = spawn('unshare', [...flags, '--kill-child', 'sh', '-ec', firstProcess], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    undo.defer(() => endOf(first))
    undo.defer(() => thawAll(cgroup))
    const ready = await Promise.race([once(first.stdout, 'data'), once(first, 'exit').then(() => undefined)])
    if (!ready) throw new Error(`the machine for ${kind} did not start`)
    return new EngineHost(folder, cgroup, environment(folder, peers), first, undo.move())
  }

  private constructor(
    folder: string,
    cgroup: string,
    env: Record<string, string>,
    first: ChildProcess,
    undo: Cleanup,
  ) {
    this.folder = folder
    this.cgroup = cgroup
    this.env = env
    this.#first = first
    this.#undo = undo
  }

  /** The first process as the host counts. */
  get pid(): number {
    const { pid } = this.#first
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
  }

  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return run(...this.#enter(command, args), { ...options, env: { ...this.env, ...options.env } })
  }

  /** A shell's command line inside. */
  shell(script: string, options: RunOptions = {}): Promise<CommandResult> {
    return this.run('sh', ['-c', script], options)
  }

  /** A program that stays; what it says goes to a file of `folder` that bears its name. */
  start(command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const log = openSync(this.logOf(command), 'a')
    return spawn(...this.#enter(command, args), {
      stdio: ['ignore', log, log],
      env: { ...this.env, ...env },
    })
  }

  logOf(command: string): string {
    return join(this.folder, `${command.split('/').at(-1)}.log`)
  }

  /** What runs on this machine by now, its first process apart. */
  processes(): { pid: number; command: string }[] {
    const namespace = readlinkSync(`/proc/${this.pid}/ns/pid`)
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== this.pid)
      .flatMap((name) => {
        try {
          if (readlinkSync(`/proc/${name}/ns/pid`) !== namespace) return []
          const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
          return [{ pid: Number(name), command }]
        } catch {
          return [] // it ended meanwhile
        }
      })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo[Symbol.asyncDispose]()
  }

  #enter(command: string, args: readonly string[]): [string, string[]] {
    return [
      'nsenter',
      ['--target', String(this.pid), '--mount', '--net', '--ipc', '--pid', '--', command, ...args],
    ]
  }
}

function environment(home: string, peers: readonly PeerName[]): Record<string, string> {
  const { PATH = '', ...libraries } = peerEnvironment(peers)
  const node = dirname(process.execPath) // which keelson-oci is started with
  return { LANG: 'C', HOME: home, PATH: [PATH, node].join(delimiter), ...libraries }
}

async function endOf(first: ChildProcess): Promise<void> {
  if (first.exitCode !== null || first.signalCode !== null) return
  const ended = once(first, 'exit')
  first.stdin?.end()
  await ended
}

/** A frozen process takes no SIGKILL (cgroup v1), and its namespace waits for it: a test may have failed in between. */
function thawAll(name: string): void {
  const top = join('/sys/fs/cgroup/freezer', name)
  if (!existsSync(top)) return
  for (const path of readdirSync(top, { recursive: true, encoding: 'utf8' }))
    if (path.endsWith('freezer.state')) writeFileSync(join(top, path), 'THAWED')
}

/** The kernel takes the last processes out of their cgroups a little after they have ended. */
async function removeCgroups(name: string): Promise<void> {
  const roots = readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const path of ['/sys/fs/cgroup', ...roots.map((entry) => join('/sys/fs/cgroup', entry.name))])
    for (let left = 200; !removeTree(join(path, name)) && left > 0; left--)
      await new Promise((resolve) => setTimeout(resolve, 10))
}

/** False while somebody is still in there. */
function removeTree(directory: string): boolean {
  try {
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return below.every((entry) => removeTree(join(directory, entry.name))) && removed(directory)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    throw error
  }
}

function removed(directory: string): boolean {
  try {
    rmdirSync(directory)
    return true
  } catch (error) {
    if (hasErrno(error, 'EBUSY')) return false
    throw error
  }
}
