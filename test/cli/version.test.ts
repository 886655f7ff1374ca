import test from 'ava'
import packageJson from '../../package.json' with { type: 'json' }
import { commit, version } from '../../src/cli/version.ts'

test('the version is the package’s; sources are of no commit', (t) => {
  t.is(version, packageJson.version)
  t.is(commit, 'unknown')
})
