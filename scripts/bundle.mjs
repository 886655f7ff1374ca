#!/usr/bin/env node
// bundle: the command lines as one file each (with shared chunks), so that a start reads few files and parses no
// TypeScript. lmdb brings a binary of its own and stays outside; our addon is found by path at run time.
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const entryPoints = [
  { in: 'src/cli/oci-main.ts', out: 'oci-main' },
  { in: 'src/cli/main.ts', out: 'main' },
  { in: 'src/image/unpack/worker.ts', out: 'unpack-worker' }, // a thread, found by this name
].filter((entry) => existsSync(join(root, entry.in)))
const external = ['lmdb']

rmSync(join(root, 'dist/cli'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints,
  external,
  outdir: 'dist/cli',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: false,
  logLevel: 'warning',
  define: { KEELSON_COMMIT: JSON.stringify(commit()) },
  // Packages in CommonJS form ask for Node's own modules with require, which a module file does not have.
  banner: {
    js: "import { createRequire as keelsonRequire } from 'node:module'; const require = keelsonRequire(import.meta.url);",
  },
})

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
