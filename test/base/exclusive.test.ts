import test from 'ava'
import { hasCode, holdDirectory } from '../../src/base/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('one holder at a time, by purpose', async (t) => {
  await using directory = await temporaryDirectory()
  const first = await holdDirectory(directory.path, 'test')
  t.true(hasCode(await t.throwsAsync(holdDirectory(directory.path, 'test')), 'FAILED_PRECONDITION'))
  await using _other = await holdDirectory(directory.path, 'another')
  await first[Symbol.asyncDispose]()
  await using _again = await holdDirectory(directory.path, 'test')
  t.true(hasCode(await t.throwsAsync(holdDirectory(`${directory.path}/none`, 'test')), 'NOT_FOUND'))
})
