import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { removeTree } from '../../src/kernel/index.ts'
import { deepTree } from '../support/deep-tree.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('a tree whose removal was interrupted before is removed', async (t) => {
  await using folder = await temporaryDirectory()
  const tree = join(folder.path, 'tree')
  mkdirSync(tree)
  for (let nth = 0; nth < 20; nth++) {
    deepTree(join(tree, `deep-${nth}`), 150)
    mkdirSync(join(tree, `.keelson-removed-${nth}`, 'rest'), { recursive: true })
  }
  await removeTree(tree)
  t.false(existsSync(tree))
})
