import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import type { Spec } from '../../oci/index.ts'
import { validateSpec } from '../../oci/validate.ts'
import { readJson } from './read-json.ts'

/** Reads and checks a bundle's config.json, and that what it says of the host is there. */
export function readBundle(bundle: string, config?: string): { bundle: string; spec: Spec } {
  const path = resolve(bundle)
  const spec = validateSpec(readJson(config ?? join(path, 'config.json')))
  checkRootfs(path, spec)
  return { bundle: path, spec }
}

function checkRootfs(bundle: string, { root }: Spec): void {
  const path = resolve(bundle, root?.path ?? '')
  if (isDirectory(path)) return
  const given = root?.path === path ? path : `${JSON.stringify(root?.path)} (${path})`
  throw new KeelsonError('NOT_FOUND', `root.path: ${given} is not a directory`, {
    path: 'root.path',
    hint: 'write an absolute path, or one below the bundle',
  })
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
