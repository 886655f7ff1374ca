import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../../base/index.ts'

export interface CriuRun {
  /** The program: a path, or a name that PATH has. */
  criu: string
  args: readonly string[]
  /** Descriptors of ours that become criu's 0, 1, 2, …; default: nothing, and its own words are kept. */
  inherited?: readonly (number | 'ignore')[]
  /** Where its log is written: what it says there explains a failure. */
  log: string
  /** Bound over `place` in a mount namespace that ends with criu: a root for it that the host never sees. */
  root?: { source: string; place: string }
  op: 'checkpoint' | 'restore'
  id: string
  /** Kills it. */
  signal?: AbortSignal
}

/**
 * Runs criu to its end. A failure is told with the first error of its log. Killed in the middle of a dump it leaves the
 * container as it was: the code that it put into the processes for that time goes when its other end is gone.
 */
export async function runCriu(run: CriuRun): Promise<void> {
  run.signal?.throwIfAborted()
  const [program = '', ...args] = run.root ? inNamespace(run, run.root) : withUs([run.criu, ...run.args])
  const status = await new Promise<string>((resolve, reject) => {
    const child = spawn(program, args, { stdio: [...(run.inherited ?? ['ignore', 'ignore', 'ignore'])] })
    const kill = () => void child.kill('SIGKILL')
    run.signal?.addEventListener('abort', kill, { once: true })
    child.on('error', reject)
    // Not `close`: what it restored may hold our descriptors for ever.
    child.on('exit', (code, signal) => {
      run.signal?.removeEventListener('abort', kill)
      resolve(signal ?? String(code))
    })
  }).catch((error: unknown) => {
    throw hasErrno(error, 'ENOENT') ? notInstalled(run) : asKeelsonError(error, { op: run.op, id: run.id })
  })
  if (status === '0') return
  run.signal?.throwIfAborted()
  if (status === '127') throw notInstalled(run)
  throw await criuError(run, `ended with ${status}`)
}

/** By what criu wrote to its log. */
export async function criuError(
  { log, op, id }: Pick<CriuRun, 'log' | 'op' | 'id'>,
  otherwise: string,
): Promise<KeelsonError> {
  const why = await firstError(log)
  return new KeelsonError('INTERNAL', `criu: ${why ?? otherwise}`, {
    op,
    id,
    path: log,
    hint: `its log is ${log}`,
  })
}

/** A dump without anybody who waits for it would keep the container stopped: it ends when this process does. */
function withUs(words: readonly string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', '--', ...words]
}

/** util-linux is on every host that has criu. */
function inNamespace(
  { criu, args }: CriuRun,
  { source, place }: { source: string; place: string },
): string[] {
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
  return [
    'unshare',
    '--mount',
    '--propagation',
    'slave',
    '--',
    'sh',
    '-c',
    script,
    'sh',
    source,
    place,
    criu,
    ...args,
  ]
}

function notInstalled({ criu, op, id }: CriuRun): KeelsonError {
  return new KeelsonError('UNIMPLEMENTED', `the program ${criu} is not installed`, {
    op,
    id,
    hint: 'install criu (Debian, Fedora: the package criu) version 4 or newer, or name it with --criu PATH',
  })
}

/** criu writes what went wrong first, then that everything above it failed as well. */
async function firstError(log: string): Promise<string | undefined> {
  const text = await readFile(log, 'utf8').catch(() => '')
  const errors = [...text.matchAll(/^\([\d.]+\)\s+(?:\d+: )?Error \(([^)]*)\): (.*)$/gm)]
  const [, place, words] = errors.find(([, , what = '']) => !what.startsWith('rlimit:')) ?? []
  return words === undefined ? undefined : `${words} (${place})`
}

/** `pidfile` of criu: one decimal number. */
export async function readPidFile(directory: string, name: string): Promise<number> {
  return Number((await readFile(join(directory, name), 'utf8')).trim())
}
