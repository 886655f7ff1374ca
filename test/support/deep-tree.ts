import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'

const pieceLevels = 40
const name = 'a-name-of-twenty-five-byte'

/** Makes a directory with at least so many levels below it, most of them deeper than any path string reaches. */
export function deepTree(path: string, levels: number): void {
  mkdirSync(path)
  const piece = join(...Array.from({ length: pieceLevels }, () => name))
  // Each round makes the levels that a path reaches, and puts what there is below them.
  for (let made = 0; made < levels; made += pieceLevels) {
    const above = `${path}-above`
    mkdirSync(join(above, piece), { recursive: true })
    renameSync(path, join(above, piece, 'below'))
    renameSync(above, path)
  }
}
