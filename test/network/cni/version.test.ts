import test from 'ava'
import {
  cniVersions,
  hasSince,
  isCniVersion,
  newestKnown,
  newestVersion,
} from '../../../src/network/cni/version.ts'

test('the newest version that is known is taken, whatever order a file has', (t) => {
  t.is(newestKnown(['1.0.0', '0.4.0', '9.9.9']), '1.0.0')
  t.is(newestKnown(['0.3.1', '1.1.0', '1.0.0']), '1.1.0')
  t.is(newestKnown(['0.2.0', 7, '2.0.0']), undefined)
  t.is(newestKnown([...cniVersions]), newestVersion)
})

test('a version has what came with it and before it', (t) => {
  t.true(hasSince('1.1.0', '0.4.0'))
  t.true(hasSince('0.4.0', '0.4.0'))
  t.false(hasSince('0.3.1', '0.4.0'))
  t.true(isCniVersion('0.3.0'))
  t.false(isCniVersion('0.2.0'))
})
