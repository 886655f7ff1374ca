/** What package.json promises to whoever installs the package. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import packageJson from '../package.json' with { type: 'json' }

const root = new URL('../', import.meta.url)
const exists = (path: string) => existsSync(new URL(path, root))

test('every export is compiled from a source that is there', (t) => {
  const build = JSON.parse(readFileSync(new URL('tsconfig.build.json', root), 'utf8')) as { files: string[] }
  for (const { types, default: code } of Object.values(packageJson.exports)) {
    const source = code.replace('./dist/', '').replace(/\.js$/, '.ts')
    t.true(exists(source), source)
    t.true(build.files.includes(source), `${source} is a root of tsconfig.build.json`)
    t.is(types, code.replace(/\.js$/, '.d.ts'))
  }
})

test('what is packed is there, and the commands can be started', (t) => {
  for (const path of packageJson.files)
    if (path !== 'dist' && !path.startsWith('!')) t.true(exists(path), path)
  for (const path of Object.values(packageJson.bin))
    t.notThrows(() => accessSync(new URL(path, root), constants.X_OK), path)
})

test('what one Node made for itself is not packed', (t) => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: fileURLToPath(root),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [packed] = JSON.parse(output) as { files: { path: string }[] }[]
  const paths = packed?.files.map(({ path }) => path) ?? []
  t.true(paths.includes('native/CMakeLists.txt'))
  t.deepEqual(
    paths.filter((path) => path.includes('oci.blob')),
    [],
  )
})

test('what the install script runs is a dependency, not only for development', (t) => {
  const [program = ''] = packageJson.scripts.install.split(' ')
  t.true(Object.hasOwn(packageJson.dependencies, program), program)
})
