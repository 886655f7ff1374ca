import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ociVersion } from '../../oci/default-spec.ts'

declare const KEELSON_COMMIT: string | undefined

/** The package's version, from the package.json above this file (src/ or dist/). */
export function version(): string {
  for (
    let folder = dirname(fileURLToPath(import.meta.url));
    folder !== dirname(folder);
    folder = dirname(folder)
  ) {
    const found = versionIn(folder)
    if (found !== undefined) return found
  }
  return 'unknown'
}

/** Three lines, as runc's callers read them. */
export function versionText(program: string): string {
  const commit = typeof KEELSON_COMMIT === 'undefined' ? 'unknown' : KEELSON_COMMIT
  return `${program} version ${version()}\ncommit: ${commit}\nspec: ${ociVersion}\n`
}

function versionIn(folder: string): string | undefined {
  try {
    const document = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
    return document.name === 'keelson' ? String(document.version) : undefined
  } catch {
    return undefined
  }
}
