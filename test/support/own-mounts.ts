import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * A mount namespace with file systems of a test's own: small ones, slow ones, ones with quotas. They go with the last
 * process in it, however the test ends.
 */
export class OwnMounts implements AsyncDisposable {
  readonly #holder: ChildProcess

  /** `script` is run by a shell in `directory` and mounts what the test needs. */
  static async create(directory: string, script: string): Promise<OwnMounts> {
    const shell = ['sh', '-ec', `cd "$0"; ${script}\n echo ready; cd /; exec cat`, directory]
    const holder = spawn('unshare', ['--mount', '--propagation', 'private', '--', ...shell], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
    if (String(said) !== 'ready\n') throw new Error(`the mounts of the test failed: ${said}`)
    return new OwnMounts(holder)
  }

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /** Words before a command that is to run among these mounts. */
  get enter(): string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, '--']
  }

  /** A path among these mounts, for who is outside. */
  seen(path: string): string {
    return `/proc/${this.#holder.pid}/root${path}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await ended
  }
}
