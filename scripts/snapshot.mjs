#!/usr/bin/env node
// snapshot [FOLDER]: makes the start-up snapshot of keelson-oci for the node that runs this: `oci.blob` beside the
// bundle in FOLDER (default dist/cli), and `oci.blob.key`, which says for which node and which place it is. The native
// front (native/front/snapshot.c) compares that and starts node on the plain bundle when it is not so, or not there.
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = resolve(process.argv[2] ?? join(root, 'dist/cli'))
const source = join(folder, 'oci-snapshot.cjs')
const blob = join(folder, 'oci.blob')
const key = `${blob}.key`
const made = `${blob}.${process.pid}`
if (!existsSync(source)) process.exit(0) // not bundled yet: whoever bundles calls again

rmSync(key, { force: true })
const { NODE_OPTIONS: _, ...env } = process.env
const { status, stderr } = spawnSync(
  process.execPath,
  ['--no-verify-snapshot-checksum', '--snapshot-blob', made, '--build-snapshot', source],
  { env, encoding: 'utf8' },
)
if (status === 0) {
  const { ino, size, mtimeNs } = statSync(process.execPath, { bigint: true })
  renameSync(made, blob)
  writeFileSync(key, `${ino} ${size} ${mtimeNs}\n${resolve(folder, '../..')}\n`)
} else {
  rmSync(made, { force: true })
  console.error(
    `snapshot: this node makes none, keelson-oci starts without: ${stderr.trim().split('\n').at(-1)}`,
  )
}
