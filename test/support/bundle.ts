/** Bundles for tests: a root file system of busybox (Debian: busybox-static) and a config.json. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultSpec } from '../../src/oci/default-spec.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { makeBusyboxRoot } from './container.ts'

export const hasBusybox = existsSync('/bin/busybox')

export interface Bundle extends Disposable {
  path: string
  rootfs: string
}

/** What `spec` writes, without a terminal, running `args`. */
export function busyboxSpec(args: string[], change: (spec: Spec) => Spec = (spec) => spec): Spec {
  const spec = defaultSpec()
  const process = { cwd: '/', ...spec.process, terminal: false, args }
  return change({ ...spec, process })
}

export function makeBundle(spec: unknown): Bundle {
  const path = mkdtempSync(join(tmpdir(), `keelson-bundle-${process.pid}-`))
  const rootfs = join(path, 'rootfs')
  makeBusyboxRoot(rootfs)
  writeFileSync(join(path, 'config.json'), typeof spec === 'string' ? spec : JSON.stringify(spec))
  return { path, rootfs, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
