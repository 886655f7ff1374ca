import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const cleanScript = fileURLToPath(new URL('../../scripts/clean.sh', import.meta.url))

rootTest('clean removes what was built, downloaded and kept, and nothing else', async (t) => {
  await using temporary = await temporaryDirectory()
  const checkout = join(temporary.path, 'checkout')
  for (const folder of [
    'scripts',
    'src',
    'dist/cli',
    'build/Release',
    'node_modules/x',
    '.cache/peers',
    'coverage',
  ])
    mkdirSync(join(checkout, folder), { recursive: true })
  cpSync(cleanScript, join(checkout, 'scripts/clean.sh'))
  writeFileSync(join(checkout, 'README.md'), '')
  // State of its own in place of the machine's, in a mount namespace of its own.
  const inside = `
    mount -t tmpfs none /var/lib && mkdir -p /var/lib/keelson/server /var/lib/other
    mount -t tmpfs none /run && mkdir -p /run/keelson
    "$0" && ls /var/lib /run`
  const left = execFileSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', inside, join(checkout, 'scripts/clean.sh')],
    { encoding: 'utf8' },
  )
  t.deepEqual(readdirSync(checkout).sort(), ['README.md', 'scripts', 'src'])
  t.regex(left, /other/)
  t.notRegex(left, /keelson/)
  t.true(existsSync(join(checkout, 'scripts/clean.sh')))
})
