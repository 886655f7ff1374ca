import { readdir } from 'node:fs/promises'
import test from 'ava'
import { openNft } from '../../src/kernel/index.ts'
import { testNamespaces } from '../support/network-namespaces.ts'
import { nftInside } from '../support/pod-network.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('without the program the error names the package to install', async (t) => {
  await using directory = await temporaryDirectory()
  const error = await t.throwsAsync(openNft({ directory: directory.path, path: [directory.path] }), {
    code: 'FAILED_PRECONDITION',
  })
  t.like(error, { hint: 'install the package nftables (Debian, Ubuntu: apt-get install nftables)' })
})

rootTest('a refused ruleset changes nothing, says where it is wrong, and leaves no file', async (t) => {
  await using namespaces = await testNamespaces()
  const nft = await nftInside(namespaces, await namespaces.get('node'))
  await nft.apply('table inet kept {}\n')
  const files = await readdir(namespaces.directory)
  const error = await t.throwsAsync(nft.apply('table inet added {}\nadd rule inet absent input drop\n'))
  t.regex(error.message, /line 2:\d+-\d+: Error: .*No such file or directory/)
  t.deepEqual(await nft.tables(), ['inet kept'])
  t.deepEqual(await readdir(namespaces.directory), files)
})
