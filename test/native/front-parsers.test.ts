/** What the native front reads (words, recorded plans, state files), changed by chance: no crash, no hang, no leak. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compileVerbs } from '../../src/oci/compile/verbs.ts'
import { encodePlan } from '../../src/oci/plan/index.ts'
import { buildSanitized, runCases } from '../support/sanitized.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const record = {
  version: 1,
  id: 'box',
  ociVersion: '1.2.0',
  life: 'detached',
  bundle: '/bundle',
  annotations: { 'org.example': 'one' },
  createdAtNs: '5',
  bootId: 'f00f-boot-id', // what front-parsers.c gives for the machine's
  namespaces: { pid: true },
  cgroup: { path: '/x', leaves: ['/sys/fs/cgroup/x'], freezers: [] },
} as const

test('words, plans and state files of the front, by chance', async (t) => {
  t.timeout(900_000)
  await using directory = await temporaryDirectory()
  const plan = compileVerbs(record as unknown as Parameters<typeof compileVerbs>[0], { ociVersion: '1.2.0' })
  const path = join(directory.path, 'verbs.plan')
  writeFileSync(path, plan ? encodePlan(plan) : '')
  const program = buildSanitized(directory.path, 'front-parsers', ['init/plan.c', 'init/clock.c'])
  const said = runCases(program, 20_000, path)
  const [, cases, done, handedOn] = /^(\d+) cases: (\d+) carried out, (\d+) handed on/.exec(said) ?? []
  t.true(Number(done) > Number(cases) / 100 && Number(handedOn) > Number(cases) / 100, said)
  t.log(said)
})
