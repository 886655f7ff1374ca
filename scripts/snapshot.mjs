#!/usr/bin/env node
// snapshot [FOLDER]: makes the start-up snapshot of keelson-oci for the node that runs this: `oci.blob` beside the
// bundle in FOLDER (default dist/cli), and `oci.blob.key`, which says for which node and which place it is, and how node
// has to be started from it. The native front (native/front/snapshot.c) compares that and starts node on the plain
// bundle when it is not so, or not there.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rewriteSnapshot } from './rewrite-snapshot.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = resolve(process.argv[2] ?? join(root, 'dist/cli'))
const source = join(folder, 'oci-snapshot.cjs')
const blob = join(folder, 'oci.blob')
const key = `${blob}.key`
const made = `${blob}.${process.pid}`
const { NODE_OPTIONS: _, ...env } = process.env

/**
 * How a command is run; docs/decisions/0015 has what each is worth. Strings keep the hashes of the seed that V8 drew for
 * this build, instead of three random primes and all strings hashed again at each start. Functions and regular
 * expressions that run a few times are not compiled a second time, better, nor is it noted what they met.
 */
const options = [
  '--no-rehash-snapshot',
  '--no-sparkplug',
  '--interrupt-budget=2000000',
  '--interrupt-budget-for-feedback-allocation=50000',
  '--regexp-tier-up-ticks=100',
]

if (!existsSync(source)) process.exit(0) // not bundled yet: whoever bundles calls again
rmSync(key, { force: true })
try {
  node('--snapshot-blob', made, '--build-snapshot', source)
  const versionTag = Number(node(...options, '-p', 'require("node:v8").cachedDataVersionTag()'))
  writeFileSync(made, rewriteSnapshot(readFileSync(made), versionTag))
  node(...options, '--snapshot-blob', made, '--', '--version')
  const { ino, size, mtimeNs } = statSync(process.execPath, { bigint: true })
  renameSync(made, blob)
  writeFileSync(key, `${ino} ${size} ${mtimeNs}\n${resolve(folder, '../..')}\n${options.join(' ')}\n`)
} catch (error) {
  rmSync(made, { force: true })
  console.error(`snapshot: this node makes none, keelson-oci starts without: ${error.message}`)
}

function node(...words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { env, encoding: 'utf8' })
  if (stderr.includes('snapshot: ')) console.error(stderr.trim())
  if (status === 0) return stdout
  throw new Error(stderr.trim().split('\n').at(-1))
}
