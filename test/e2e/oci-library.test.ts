/** The examples of the library, run as a user would: from JavaScript, through the package's own exports. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { makeBusyboxRoot } from '../support/container.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

async function example(t: ExecutionContext, name: string, args: readonly string[]) {
  t.true(existsSync(join(root, 'dist/src/oci/index.js')), 'the package is built: `npm run build`')
  const program = join(root, 'examples/oci-library', name)
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ])
  return { stdout, stderr, code }
}

rootTest('run-sandboxed hands output and exit code through, within limits', async (t) => {
  await using directory = await temporaryDirectory()
  makeBusyboxRoot(directory.path)
  const script = 'echo out; echo err >&2; grep Seccomp: /proc/self/status; exit 3'
  const { stdout, stderr, code } = await example(t, 'run-sandboxed.mjs', [directory.path, 'sh', '-c', script])
  t.regex(stdout, /^out\nSeccomp:\s+2\n$/)
  t.is(stderr, 'err\n')
  t.is(code, 3)
})

rootTest('keep-and-exec runs a program in a container that stays, and shows what it used', async (t) => {
  await using directory = await temporaryDirectory()
  makeBusyboxRoot(directory.path)
  const { stdout, stderr, code } = await example(t, 'keep-and-exec.mjs', [directory.path])
  t.is(stderr, '')
  t.regex(stdout, /^running as pid \d+$/m)
  t.regex(stdout, /^exec: from outside, then from inside: keelson \(exit code 0\)$/m)
  t.regex(stdout, /^memory [1-9]\d* bytes, 1 processes$/m)
  t.regex(stdout, /^ended with exit code 137, signal 9$/m)
  t.regex(stdout, /^log: \S+ stdout F up$/m)
  t.is(code, 0)
})
