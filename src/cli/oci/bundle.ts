import { join, resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { thisHost } from '../../oci/host-view.ts'
import type { Spec } from '../../oci/index.ts'
import { validateSpec } from '../../oci/validate.ts'
import { readJson } from './read-json.ts'

export interface Bundle {
  bundle: string
  spec: Spec
}

/** Reads and checks a bundle's config.json, and that what it says of the host is there. */
export function readBundle(bundle: string, config?: string): Bundle {
  const path = resolve(bundle)
  return checkedBundle(path, readJson(config ?? configOf(path)))
}

export function configOf(bundle: string): string {
  return join(bundle, 'config.json')
}

/** `bundle`: an absolute path. */
export function checkedBundle(bundle: string, config: unknown, view = thisHost): Bundle {
  const spec = validateSpec(config)
  checkRootfs(bundle, spec, view)
  return { bundle, spec }
}

function checkRootfs(bundle: string, { root }: Spec, { isDirectory }: typeof thisHost): void {
  const path = resolve(bundle, root?.path ?? '')
  if (isDirectory(path)) return
  const given = root?.path === path ? path : `${JSON.stringify(root?.path)} (${path})`
  throw new KeelsonError('NOT_FOUND', `root.path: ${given} is not a directory`, {
    path: 'root.path',
    hint: 'write an absolute path, or one below the bundle',
  })
}
