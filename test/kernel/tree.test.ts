import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { removeTree, treeUsage } from '../../src/kernel/index.ts'
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

test('what a tree takes is measured at any depth, with few descriptors', async (t) => {
  await using folder = await temporaryDirectory()
  const tree = join(folder.path, 'tree')
  deepTree(tree, 3000)
  for (const name of ['a', 'z']) writeFileSync(join(tree, name), Buffer.alloc(10_000))
  const before = readdirSync('/proc/self/fd').length
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, readdirSync('/proc/self/fd').length)
  }, 1)
  const { bytes, inodes } = await treeUsage(tree)
  clearInterval(watch)
  await removeTree(tree)
  t.true(inodes > 3000 && bytes > 20_000)
  t.true(most < before + 100)
})
