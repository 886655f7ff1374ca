import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that everybody may enter and that is gone at the end. */
export function openOwnFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), `keelson-test-${process.pid}-`))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
