import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** One finished program. */
export interface Cost {
  wallMs: number
  cpuMs: number
  peakKiB: number
  status: number
}

/** A running driver.c; see there. Programs run one after the other. */
export interface Driver extends AsyncDisposable {
  pid: number
  /** Throws when the program does not end with `expected` (default 0). */
  run: (argv: readonly string[], expected?: number) => Promise<Cost>
  /** Waits for a process that a program left behind. */
  reap: (pid: number) => Promise<Cost>
}

/**
 * Builds and starts a driver. With `hideUnified` it runs in a mount namespace of its own with an empty tmpfs over
 * the cgroup2 mount of a hybrid host: crun 1.8 refuses such a host, and the mounts of the host are not touched. `env` is
 * added to its programs' environment.
 */
export async function startDriver({ hideUnified = false, env = {} } = {}): Promise<Driver> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-bench-driver-'))
  const program = join(folder, 'driver')
  const source = join(dirname(fileURLToPath(import.meta.url)), 'driver.c')
  execFileSync('cc', ['-O2', '-o', program, source], { stdio: 'inherit' })
  const unified = '/sys/fs/cgroup/unified'
  const [command = '', ...words] =
    hideUnified && existsSync(unified)
      ? [
          'unshare',
          '-m',
          '--propagation',
          'private',
          'sh',
          '-c',
          `mount -t tmpfs none ${unified} && exec "$0"`,
          program,
        ]
      : [program]
  const child = spawn(command, words, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask = async (line: string): Promise<Cost> => {
    child.stdin.write(`${line}\n`)
    const { value, done } = await answers.next()
    if (done) throw new Error('the bench driver ended')
    const [wall = 0, cpu = 0, peakKiB = 0, status = 0] = value.split(' ').map(Number)
    return { wallMs: wall / 1e6, cpuMs: cpu / 1e3, peakKiB, status }
  }
  return {
    pid: child.pid ?? -1,
    async run(argv, expected = 0) {
      const cost = await ask(['run', ...argv].join('\t'))
      if (cost.status === expected) return cost
      throw new Error(`${argv.join(' ')}: status ${cost.status}, not ${expected}`)
    },
    reap: (pid) => ask(`reap\t${pid}`),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
