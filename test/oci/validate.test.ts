import test from 'ava'
import fc from 'fast-check'
import { defaultSpec } from '../../src/oci/default-spec.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { validateProcess, validateSpec } from '../../src/oci/validate.ts'

test('what `spec` writes is valid, rootless as well, and survives JSON', (t) => {
  for (const spec of [defaultSpec(), defaultSpec({ rootless: { uid: 1000, gid: 1000 } })])
    t.deepEqual(validateSpec(JSON.parse(JSON.stringify(spec))), spec)
})

/** The default spec with one change, and where the error must point. */
const wrong: [path: string, change: (spec: Spec) => unknown][] = [
  ['the configuration', () => []],
  ['the configuration', () => 'text'],
  ['ociVersion', (spec) => ({ ...spec, ociVersion: undefined })],
  ['ociVersion', (spec) => ({ ...spec, ociVersion: '2.0.0' })],
  ['process.args', (spec) => withProcess(spec, { args: [] })],
  ['process.args', (spec) => withProcess(spec, { args: undefined })],
  ['process.args[1]', (spec) => withProcess(spec, { args: ['sh', 3] })],
  ['process.args[0]', (spec) => withProcess(spec, { args: [''] })],
  ['process.args[0]', (spec) => withProcess(spec, { args: ['a\0b'] })],
  ['process.cwd', (spec) => withProcess(spec, { cwd: 'tmp' })],
  ['process.env[1]', (spec) => withProcess(spec, { env: ['A=b', 'PATH'] })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: 2 ** 32, gid: 0 } })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: -1, gid: 0 } })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: '0', gid: 0 } })],
  [
    'process.user.additionalGids[0]',
    (spec) => withProcess(spec, { user: { uid: 0, gid: 0, additionalGids: [-5] } }),
  ],
  ['process.oomScoreAdj', (spec) => withProcess(spec, { oomScoreAdj: 1001 })],
  ['process.rlimits[0].type', (spec) => withProcess(spec, { rlimits: [{ type: 'X', soft: 1, hard: 1 }] })],
  ['process.rlimits[0]', (spec) => withProcess(spec, { rlimits: [{ type: 'RLIMIT_AS', soft: 2, hard: 1 }] })],
  ['root', (spec) => ({ ...spec, root: undefined })],
  ['root.path', (spec) => ({ ...spec, root: {} })],
  ['root.path', (spec) => ({ ...spec, root: { path: '../elsewhere' } })],
  ['root.path', (spec) => ({ ...spec, root: { path: 'a/../../b' } })],
  ['linux.namespaces[0].type', (spec) => withLinux(spec, { namespaces: [{ type: 'dream' }] })],
  ['linux.namespaces[1]', (spec) => withLinux(spec, { namespaces: [{ type: 'uts' }, { type: 'uts' }] })],
  ['linux.namespaces[0].path', (spec) => withLinux(spec, { namespaces: [{ type: 'uts', path: 'ns' }] })],
  ['hostname', (spec) => withLinux(spec, { namespaces: [{ type: 'mount' }] })],
  ['linux.maskedPaths', (spec) => withLinux(spec, { namespaces: [{ type: 'uts' }] })],
  ['linux.uidMappings', (spec) => withLinux(spec, { uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] })],
  [
    'linux.uidMappings',
    (spec) => withLinux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), { type: 'user' }] }),
  ],
  ['linux.sysctl["vm.swappiness"]', (spec) => withLinux(spec, { sysctl: { 'vm.swappiness': '1' } })],
  [
    'linux.sysctl["net.a.b"]',
    (spec) => withLinux(spec, { sysctl: { 'net.a.b': '1\nkernel.core_pattern=x' } }),
  ],
  [
    'linux.sysctl["net.a.b"]',
    (spec) => withLinux(spec, { sysctl: { 'net.a.b': '1+kernel.core_pattern=x' } }),
  ],
  ['linux.rootfsPropagation', (spec) => withLinux(spec, { rootfsPropagation: 'up' })],
  ['linux.devices[0]', (spec) => withLinux(spec, { devices: [{ path: '/dev/x', type: 'c' }] })],
  ['linux.timeOffsets.monotonic', (spec) => withLinux(spec, { timeOffsets: { monotonic: { secs: 1 } } })],
  ['mounts[0].destination', (spec) => ({ ...spec, mounts: [{ type: 'proc' }] })],
  ['hooks.prestart[0].path', (spec) => ({ ...spec, hooks: { prestart: [{ path: 'hook' }] } })],
]

for (const [index, [path, change]] of wrong.entries())
  test(`refused at ${path} (${index})`, (t) => {
    const error = t.throws(() => validateSpec(change(defaultSpec())))
    t.like(error, { code: 'INVALID_ARGUMENT', path })
    t.truthy((error as { hint?: string }).hint)
    t.true(error?.message.includes(path.split('.').at(-1) ?? path))
  })

test('what Go programs write: null for an empty list, fields nobody knows', (t) => {
  const spec = validateSpec({ ...defaultSpec(), mounts: null, hooks: { prestart: null }, solaris: { x: 1 } })
  t.is(spec.mounts, undefined)
  t.deepEqual(spec.hooks, {})
})

test('a relative destination means one below the root', (t) => {
  const spec = validateSpec({ ...defaultSpec(), mounts: [{ destination: 'proc', type: 'proc' }] })
  t.is(spec.mounts?.[0]?.destination, '/proc')
})

test('the process of an exec names its own path', (t) => {
  t.like(
    t.throws(() => validateProcess({ cwd: '/', args: [1] })),
    { path: 'process.args[0]' },
  )
})

test('whatever JSON comes in, the answer is a spec or an INVALID_ARGUMENT', (t) => {
  const keys = [
    'ociVersion',
    'process',
    'root',
    'mounts',
    'linux',
    'hooks',
    'args',
    'path',
    'namespaces',
    'type',
  ]
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, 0, -1, 1.5, true, '', 'x', '/x', '1.0.2'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      try {
        validateSpec(value)
      } catch (error) {
        t.is((error as { code?: string }).code, 'INVALID_ARGUMENT')
      }
    }),
  )
  t.pass()
})

function withProcess(spec: Spec, process: Record<string, unknown>) {
  return { ...spec, process: { ...spec.process, ...process } }
}

function withLinux(spec: Spec, linux: Record<string, unknown>) {
  return { ...spec, linux: { ...spec.linux, ...linux } }
}
