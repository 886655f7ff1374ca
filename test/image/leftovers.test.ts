import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { createLogger } from '../../src/base/index.ts'
import { removeLeftover } from '../../src/image/leftovers.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('files and trees go; what cannot be removed is told and does no harm', async (t) => {
  await using folder = await temporaryDirectory()
  const lines: string[] = []
  const log = createLogger({ write: (line) => lines.push(line), nowMs: () => 0 })
  const [file, tree] = [join(folder.path, 'file'), join(folder.path, 'tree')]
  writeFileSync(file, 'x')
  mkdirSync(join(tree, 'below'), { recursive: true })
  await removeLeftover(join(file, 'below-a-file'), log)
  t.regex(lines.join(), /cannot be removed.*below-a-file.*ENOTDIR/)
  await removeLeftover(file, log)
  await removeLeftover(tree, log)
  await removeLeftover(tree, log)
  t.false(existsSync(file) || existsSync(tree))
  t.is(lines.length, 1)
})
