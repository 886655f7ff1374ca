#!/usr/bin/env node
// bench NAME [--quick] [--json]: runs bench/NAME.ts. A start of Node with NODE_EXTRA_CA_CERTS costs 47 ms and every
// child inherits it, so it goes before anything is measured.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [name = '', ...options] = process.argv.slice(2)
const path = join(root, 'bench', `${name}.ts`)
if (!/^[a-z][a-z-]*$/.test(name) || !existsSync(path) || !isBench(path)) {
  console.error(`usage: npm run bench -- NAME [--quick] [--json]\n\nNAME is one of: ${names().join(', ')}`)
  process.exit(2)
}
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
const { status, signal } = spawnSync(
  process.execPath,
  ['--import', join(root, 'scripts/plain-typescript.mjs'), path, ...options],
  {
    cwd: root,
    env,
    stdio: 'inherit',
  },
)
process.exit(signal ? 1 : (status ?? 1))

function names() {
  const files = readdirSync(join(root, 'bench'), { withFileTypes: true })
  return files
    .filter((file) => file.isFile() && file.name.endsWith('.ts') && isBench(join(root, 'bench', file.name)))
    .map((file) => file.name.slice(0, -3))
}

/** The files of bench/ itself are benches; what they share lies in bench/frame/. */
function isBench(file) {
  return readFileSync(file, 'utf8').includes('await runBench(')
}
