import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CgroupLayout } from '../../src/oci/index.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Files that look like a cgroup file system, by their paths from its root. */
export async function withCgroupFiles<Result>(
  files: Readonly<Record<string, string>>,
  read: (root: string) => Promise<Result>,
): Promise<Result> {
  await using directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return await read(directory.path)
}

export function v2Layout(mountPoint: string): CgroupLayout {
  return { mode: 'v2', v1: [], v2: { controllers: [], mountPoint, own: '/' } }
}

/** Each controller mounted at a folder of its name, v2 at `unified`. */
export function hybridLayout(root: string, ...controllers: string[]): CgroupLayout {
  const v1 = controllers.map((name) => ({ controllers: [name], mountPoint: join(root, name), own: '/' }))
  return { mode: 'hybrid', v1, v2: { controllers: [], mountPoint: join(root, 'unified'), own: '/' } }
}
