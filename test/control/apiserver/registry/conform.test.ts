import test from 'ava'
import fc from 'fast-check'
import { resources } from '../../../../src/api/index.ts'
import { conform } from '../../../../src/control/apiserver/registry/conform.ts'

const pods = resources.pods

test('unknown fields are named by their path and left out; nulls are left out', (t) => {
  const { object, unknownFields } = conform(pods, {
    metadata: { name: 'p', creationTimestamp: null, labels: { a: 'b' } },
    spec: { contaners: [], containers: [{ name: 'c', imagee: 'x', ports: [{ containerPort: 80, x: 1 }] }] },
    extra: { deep: true },
  })
  t.deepEqual(unknownFields, [
    'spec.contaners',
    'spec.containers[0].imagee',
    'spec.containers[0].ports[0].x',
    'extra',
  ])
  t.deepEqual(object, {
    metadata: { name: 'p', labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 80 }] }] },
  } as never)
})

test('required objects and lists are there, empty', (t) => {
  t.deepEqual(conform(pods, {}).object, { metadata: {}, spec: { containers: [] } } as never)
  t.like(conform(resources.deployments, { spec: {} }).object, {
    spec: { selector: {}, template: { spec: { containers: [] } } },
  })
})

test('numbers for quantities and both forms of int-or-string are taken', (t) => {
  const limits = { cpu: 1, memory: '1Gi' }
  const { object } = conform(pods, { spec: { containers: [{ name: 'c', resources: { limits } }] } })
  t.like(object, { spec: { containers: { 0: { resources: { limits: { cpu: '1', memory: '1Gi' } } } } } })
  const service = (targetPort: unknown) =>
    conform(resources.services, { spec: { ports: [{ port: 80, targetPort }] } }).object
  t.like(service(8080), { spec: { ports: { 0: { targetPort: 8080 } } } })
  t.like(service('http'), { spec: { ports: { 0: { targetPort: 'http' } } } })
})

test('a value of another JSON type is refused with its place', (t) => {
  for (const [value, where] of [
    [{ spec: { containers: 'x' } }, 'spec.containers of type array'],
    [{ spec: { containers: [{ name: 1 }] } }, 'spec.containers[0].name of type string'],
    [{ spec: { hostNetwork: 'true' } }, 'spec.hostNetwork of type boolean'],
    [{ spec: { priority: 1.5 } }, 'spec.priority of type integer'],
    [{ metadata: [] }, 'metadata of type object'],
    [{ metadata: { labels: { a: 1 } } }, 'metadata.labels.a of type string'],
  ] as const) {
    const error = t.throws(() => conform(pods, value))
    t.true(error?.message.endsWith(where), error?.message)
  }
})

test('what conforms conforms again, unchanged; no prototype is touched', (t) => {
  const name = fc.constantFrom('__proto__', 'constructor', 'a', 'b')
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), fc.boolean(), (labels, hostNetwork) => {
      const text = JSON.stringify({ metadata: { labels, name: 'p' }, spec: { hostNetwork } })
      const first = conform(pods, JSON.parse(text))
      const again = conform(pods, JSON.parse(JSON.stringify(first.object)))
      return (
        JSON.stringify(first.object) === JSON.stringify(again.object) &&
        again.unknownFields.length === 0 &&
        Object.keys(first.object.metadata.labels ?? {}).length === Object.keys(labels).length &&
        ({} as Record<string, unknown>)['a'] === undefined
      )
    }),
  )
  t.pass()
})
