import test from 'ava'
import fc from 'fast-check'
import { applyStrategicMergePatch, type Pod, resources } from '../../../src/api/index.ts'
import { orderElements } from '../../../src/api/patch/element-order.ts'
import { hasCode } from '../../../src/base/index.ts'

const container = (name: string, image = 'x') => ({ name, image })
const pod = (...names: string[]): Pod => ({
  metadata: { name: 'a', finalizers: ['one', 'two'], labels: { app: 'web' } },
  spec: { containers: names.map((name) => container(name)), nodeSelector: { disk: 'ssd' } },
})
const apply = (target: unknown, patch: unknown) =>
  applyStrategicMergePatch(target, patch, resources.pods.definition) as Pod
const names = (target: Pod) => target.spec.containers.map(({ name }) => name)

test('keyed lists merge by their key, plain maps by member', (t) => {
  const result = apply(pod('a', 'b'), {
    metadata: { labels: { tier: 'front' } },
    spec: { containers: [{ name: 'b', image: 'new', command: ['sh'] }, container('c')] },
  })
  t.deepEqual(names(result), ['a', 'b', 'c'])
  t.deepEqual(result.spec.containers[1], { name: 'b', image: 'new', command: ['sh'] })
  t.deepEqual(result.metadata.labels, { app: 'web', tier: 'front' })
})

test('lists without a merge strategy are replaced', (t) => {
  const target = { spec: { containers: [{ name: 'a', command: ['one', 'two'] }] } }
  const result = apply(target, { spec: { containers: [{ name: 'a', command: ['three'] }] } })
  t.deepEqual(result.spec.containers[0]?.command, ['three'])
})

test('ports merge by containerPort, environment by name', (t) => {
  const target = {
    spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] }] },
  }
  const result = apply(target, {
    spec: {
      containers: [
        {
          name: 'a',
          ports: [{ containerPort: 80, name: 'http' }, { containerPort: 81 }],
          env: [{ name: 'A', value: '2' }],
        },
      ],
    },
  })
  t.deepEqual(result.spec.containers[0]?.ports as unknown, [
    { containerPort: 80, name: 'http' },
    { containerPort: 81 },
  ])
  t.deepEqual(result.spec.containers[0]?.env, [{ name: 'A', value: '2' }])
})

test('$patch deletes an item, replaces a list, replaces an object', (t) => {
  t.deepEqual(names(apply(pod('a', 'b'), { spec: { containers: [{ name: 'a', $patch: 'delete' }] } })), ['b'])
  t.deepEqual(
    names(apply(pod('a', 'b'), { spec: { containers: [container('c'), { $patch: 'replace' }] } })),
    ['c'],
  )
  const result = apply(pod('a'), { spec: { nodeSelector: { $patch: 'replace', zone: 'x' } } })
  t.deepEqual(result.spec.nodeSelector, { zone: 'x' })
})

test('null removes; directives never reach the object', (t) => {
  const result = apply(pod('a'), {
    spec: { nodeSelector: null, volumes: [{ name: 'v', $retainKeys: ['name'] }] },
  })
  t.false('nodeSelector' in result.spec)
  t.deepEqual(result.spec.volumes, [{ name: 'v' }])
})

test('sets: union, and $deleteFromPrimitiveList', (t) => {
  const result = apply(pod('a'), {
    metadata: { finalizers: ['three', 'one'], '$deleteFromPrimitiveList/finalizers': ['two'] },
  })
  t.deepEqual(result.metadata.finalizers, ['one', 'three'])
  const only = apply(pod('a'), { metadata: { '$deleteFromPrimitiveList/finalizers': ['one'] } })
  t.deepEqual(only.metadata.finalizers, ['two'])
})

test('$retainKeys drops the members of the other kind of volume', (t) => {
  const target = { spec: { containers: [], volumes: [{ name: 'v', emptyDir: {} }] } }
  const result = apply(target, {
    spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
  })
  t.deepEqual(result.spec.volumes, [{ name: 'v', hostPath: { path: '/x' } }])
})

test('$setElementOrder orders the named and keeps others beside their neighbours', (t) => {
  const order = (...list: string[]) => list.map((name) => ({ name }))
  const result = apply(pod('a', 'side', 'b'), {
    spec: { '$setElementOrder/containers': order('b', 'c', 'a'), containers: [container('c')] },
  })
  t.deepEqual(names(result), ['side', 'b', 'c', 'a'])
  const same = apply(pod('a', 'side', 'b'), { spec: { '$setElementOrder/containers': order('a', 'b') } })
  t.deepEqual(names(same), ['a', 'side', 'b'])
})

test('the order keeps every element, and both orders among their own', (t) => {
  const anyList = fc.uniqueArray(fc.nat(12))
  fc.assert(
    fc.property(anyList, anyList, anyList, (before, added, order) => {
      const merged = [...new Set([...before, ...added])]
      const result = orderElements(merged, before, order, (item) => item)
      t.deepEqual([...result].sort(), [...merged].sort())
      t.deepEqual(
        result.filter((one) => order.includes(one as number)),
        order.filter((one) => merged.includes(one)),
      )
      const others = merged.filter((one) => !order.includes(one))
      t.deepEqual(
        result.filter((one) => others.includes(one as number)),
        others,
      )
    }),
  )
})

test('a patch applied twice gives what it gave once', (t) => {
  const anyContainers = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), image: fc.constantFrom('x', 'y') }),
    { selector: ({ name }) => name },
  )
  fc.assert(
    fc.property(anyContainers, anyContainers, (present, patched) => {
      const target = { metadata: {}, spec: { containers: present } }
      const patch = { spec: { containers: patched } }
      const once = apply(target, patch)
      t.deepEqual(apply(once, patch), once)
      for (const one of patched)
        t.deepEqual(
          once.spec.containers.find(({ name }) => name === one.name),
          one,
        )
    }),
  )
})

test('what cannot be meant is refused with its place', (t) => {
  const refused = (patch: unknown) => t.throws(() => apply(pod('a'), patch))
  t.true(hasCode(refused('text'), 'INVALID_ARGUMENT'))
  t.is(
    refused({ spec: { containers: [{ image: 'x' }] } })?.message,
    'strategic merge patch: spec.containers[0]: has no name to merge by',
  )
  t.regex(refused({ spec: { $patch: 'remove' } })?.message ?? '', /spec: \$patch is "remove"/)
})
