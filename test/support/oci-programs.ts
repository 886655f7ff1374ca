/**
 * The real command line, and runc beside it where it is installed, started by a driver that is the subreaper of what
 * they leave behind: as podman or a shim would be.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  input?: string
  cwd?: string
  env?: Record<string, string>
  uid?: number
}

/** A program with a state root of its own. */
export interface Program {
  name: 'keelson-oci' | 'runc'
  path: string
  stateRoot: string
  run: (args: readonly string[], options?: RunOptions) => Promise<Outcome>
}

export interface Programs extends AsyncDisposable {
  keelson: Program
  /** The same commands by Node alone, on the same state root. */
  withoutFront: Program
  runc: Program | undefined
  folder: string
}

/**
 * Builds the command line into a folder of its own, laid out as the package is, so that no other test's build is in the
 * way and whoever a test runs it as can reach it: not below a checkout in somebody's home.
 */
export async function ociPrograms(): Promise<Programs> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-oci-cli-'))
  chmodSync(folder, 0o755)
  const native = ['keelson.node', 'keelson-init'].map((name) => `build/Release/${name}`)
  for (const path of ['package.json', 'native/CMakeLists.txt', 'bin/keelson-oci', ...native])
    cpSync(join(root, path), join(folder, path), { recursive: true })
  execFileSync(process.execPath, [
    join(root, 'scripts/bundle.mjs'),
    '--out',
    join(folder, 'dist/cli'),
    '--only',
    'oci-main',
    '--only',
    'oci-snapshot',
  ])
  execFileSync(process.execPath, [join(root, 'scripts/snapshot.mjs'), join(folder, 'dist/cli')])
  const hasRunc = spawnSync('runc', ['--version']).status === 0
  const keelson = program('keelson-oci', join(folder, 'bin/keelson-oci'), folder)
  return {
    keelson,
    withoutFront: {
      ...keelson,
      run: (args, options) =>
        runProgram(
          process.execPath,
          [join(folder, 'dist/cli/oci-main.cjs'), '--root', keelson.stateRoot, ...args],
          options,
        ),
    },
    runc: hasRunc ? program('runc', 'runc', folder) : undefined,
    folder,
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function program(name: Program['name'], path: string, folder: string): Program {
  const stateRoot = join(folder, `state-${name}`)
  return {
    name,
    path,
    stateRoot,
    run: (args, options) => runProgram(path, ['--root', stateRoot, ...args], options),
  }
}

/** Ends when the program does, whoever still holds its pipes. */
export async function runProgram(
  path: string,
  args: readonly string[],
  { input = '', cwd, env, uid }: RunOptions = {},
): Promise<Outcome> {
  const child = spawn(path, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
    env: { PATH: process.env['PATH'] ?? '', HOME: '/', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const closed = once(child, 'close')
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
  // On a busy machine the timer may be looked at before the pipes: give what lies in them one turn.
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  child.stdout.destroy()
  child.stderr.destroy()
  return { code: code ?? -1, stdout, stderr: signal === null ? stderr : `${stderr}(${signal})` }
}
