/** The start-up snapshot that Node begins from when the native front starts it. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { version } from '../../src/cli/version.ts'
import { ociPrograms } from '../support/oci-programs.ts'

const programs = await ociPrograms()
test.after.always(() => programs[Symbol.asyncDispose]())

const folder = join(programs.folder, 'dist/cli')
const keyPath = join(folder, 'oci.blob.key')
const key = readFileSync(keyPath, 'utf8')

const versionOf = async () => (await programs.keelson.run(['--version'])).stdout

test.serial(
  'it is made with the package, and a key says of which node and how that is started',
  async (t) => {
    const [node = '', place, options = ''] = key.split('\n')
    const { ino, size } = statSync(process.execPath)
    t.true(node.startsWith(`${ino} ${size} `))
    t.is(place, programs.folder)
    t.regex(options, /^--no-rehash-snapshot( --\S+)*$/)
    // With a bundle that does nothing beside it, it is the snapshot that answers.
    const bundle = join(folder, 'oci-main.cjs')
    renameSync(bundle, `${bundle}.away`)
    writeFileSync(bundle, '')
    t.true((await versionOf()).includes(`version ${version}`))
    renameSync(`${bundle}.away`, bundle)
  },
)

test.serial('node’s own modules lie in it without their compiled code, and still load', async (t) => {
  t.true(statSync(join(folder, 'oci.blob')).size < 5 << 20)
  const { stdout } = await programs.keelson.run(['help'])
  t.true(stdout.includes('create'))
})

test.serial('a snapshot of another node, another place or another form is left alone', async (t) => {
  for (const other of [
    '',
    '1 2 3\n',
    key.replace(programs.folder, '/elsewhere'),
    `${key}${' --x'.repeat(200)}`,
  ]) {
    writeFileSync(keyPath, other)
    t.true((await versionOf()).includes(`version ${version}`), other)
  }
  writeFileSync(keyPath, key)
})
