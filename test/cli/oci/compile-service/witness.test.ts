import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { HandOn } from '../../../../src/cli/oci/compile-service/hand-on.ts'
import { Witness } from '../../../../src/cli/oci/compile-service/witness.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

test('whatever is looked at becomes a fact that the front checks', async (t) => {
  await using folder = await temporaryDirectory()
  const at = (name: string) => join(folder.path, name)
  writeFileSync(at('file'), 'text')
  const witness = new Witness()
  t.is(witness.read(at('file')), 'text')
  t.is(witness.read(at('none')), undefined)
  t.true(witness.exists(at('file')))
  t.false(witness.exists(at('nowhere')))
  t.true(witness.isDirectory(at('unseen')))
  t.regex(witness.deviceAt(folder.path) ?? '', /^\d+:\d+$/)
  t.deepEqual(
    witness.facts.map((fact) => fact.op),
    ['requireText', 'requireMissing', 'requirePath', 'requireMissing', 'requireDirectory', 'requireDevice'],
  )
})

test('groups that are there, or below frozen ones, are for Node', async (t) => {
  await using folder = await temporaryDirectory()
  const leaf = join(folder.path, 'parent/leaf')
  mkdirSync(join(folder.path, 'parent'))
  writeFileSync(join(folder.path, 'parent/cgroup.procs'), '')
  const witness = new Witness()
  witness.unused({ leaves: [leaf], freezers: [leaf] })
  t.true(witness.facts.some((fact) => fact.op === 'requireMissing' && fact.path.endsWith('freezer.state')))
  writeFileSync(join(folder.path, 'parent/freezer.state'), 'FROZEN\n')
  t.throws(() => new Witness().unused({ leaves: [leaf], freezers: [leaf] }), { instanceOf: HandOn })
  mkdirSync(leaf)
  t.throws(() => new Witness().unused({ leaves: [leaf], freezers: [] }), { instanceOf: HandOn })
})
