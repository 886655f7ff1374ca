import test from 'ava'
import { compileHooks, compileRecordedHooks } from '../../../src/oci/compile/hooks.ts'
import type { Operation } from '../../../src/oci/plan/operations.ts'
import { Slots } from '../../../src/oci/plan/slots.ts'
import type { Hooks } from '../../../src/oci/spec.ts'

const limit = { soft: 1024n, hard: 4096n }
const subject = (hooks: Hooks, annotations?: Record<string, string>) => ({
  id: 'web',
  bundle: '/bundle',
  spec: { ociVersion: '1.2.0', hooks, ...(annotations ? { annotations } : {}) },
})
const names = (operations: readonly Operation[]) =>
  operations.map((one) => (one.op === 'runProgram' ? one.name : one.op))
const hook = { path: '/bin/hook' }

test('without hooks nothing is opened, waited for or run', (t) => {
  const { open, parent, beforePivot, beforeProgram, later } = compileHooks(
    subject({}),
    new Slots(),
    limit,
    false,
  )
  t.deepEqual([open, parent, beforePivot, beforeProgram([]), later], [[], [], [], [], []])
})

test('the runtime’s hooks run between two barriers, prestart first, each with the caller’s limit', (t) => {
  const hooks = { createRuntime: [hook, hook], prestart: [hook] }
  const { open, parent, beforePivot, later } = compileHooks(subject(hooks), new Slots(), limit, false)
  t.deepEqual(names(open), ['openPath'])
  t.deepEqual(names(parent), [
    'await',
    'hooks.prestart[0]',
    'setRlimit',
    'hooks.createRuntime[0]',
    'setRlimit',
    'hooks.createRuntime[1]',
    'setRlimit',
    'signal',
  ])
  t.deepEqual(names(beforePivot), ['signal', 'await'])
  t.deepEqual(later, [])
})

test('where the runtime joined namespaces before the clone, its hooks do not run in them', (t) => {
  const { parent } = compileHooks(subject({ prestart: [hook] }), new Slots(), limit, true)
  t.deepEqual(names(parent).slice(0, 2), ['await', 'ownNamespaces'])
})

test('the container’s hooks run on its side; its output stays open until startContainer', (t) => {
  const hooks = { createContainer: [hook], startContainer: [{ ...hook, args: ['a', 'b'], timeout: 3 }] }
  const { parent, beforePivot, beforeProgram, later } = compileHooks(
    subject(hooks),
    new Slots(),
    limit,
    false,
  )
  t.deepEqual(parent, [])
  t.deepEqual(names(beforePivot), ['hooks.createContainer[0]', 'setRlimit'])
  const [run, ...prepare] = beforeProgram([{ op: 'noNewPrivileges' }])
  t.like(run, { path: '/bin/hook', args: ['a', 'b'], timeoutMs: 3000n, prepare: 1, directory: '' })
  t.deepEqual(names(prepare), ['noNewPrivileges'])
  t.is(later.length, 1)
})

test('files of crun’s annotations take the output, below the bundle where they are relative', (t) => {
  const annotations = { 'run.oci.hooks.stdout': 'out', 'run.oci.hooks.stderr': '/var/err' }
  const { open } = compileHooks(subject({ prestart: [hook] }, annotations), new Slots(), limit, false)
  t.deepEqual(
    open.map((one) => one.op === 'openPath' && one.path),
    ['/bundle/out', '/var/err'],
  )
})

test('what runs after the create is a plan of its own: poststart with the pid, poststop without', (t) => {
  const hooks = { poststart: [hook], poststop: [hook] }
  const lists = (['poststart', 'poststop'] as const).map((stage) => {
    const plan = compileRecordedHooks(stage, subject(hooks), limit)
    return names(plan?.parent ?? [])
  })
  t.deepEqual(lists, [
    ['readProcess', 'openPath', 'hooks.poststart[0]', 'setRlimit', 'reportDone'],
    ['openPath', 'hooks.poststop[0]', 'setRlimit', 'reportDone'],
  ])
  t.is(compileRecordedHooks('poststart', subject({}), limit), undefined)
})
