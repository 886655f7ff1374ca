import { execFileSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import test from 'ava'
import { spreadSubdirectories } from '../../src/kernel/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const ext4Magic = 0xef53

test('subdirectories are spread where the file system can, and elsewhere nothing happens', async (t) => {
  for (const parent of ['/var/tmp', '/dev/shm']) {
    await using folder = await temporaryDirectory(parent)
    for (let times = 2; times > 0; times--) spreadSubdirectories(folder.path)
    if (statfsSync(folder.path).type !== ext4Magic) continue
    const [flags = ''] = execFileSync('lsattr', ['-d', folder.path], { encoding: 'utf8' }).split(' ')
    t.true(flags.includes('T'), flags)
  }
  t.throws(() => spreadSubdirectories('/absent'), { message: /ENOENT/ })
})
