import { BinaryWriter } from '@bufbuild/protobuf/wire'
import test from 'ava'
import fc from 'fast-check'
import { decodeProtobuf, definitions, resourceTypes } from '../../../src/api/index.ts'
import { definitionName, messageName, messageOf } from '../../../src/api/protobuf/messages.ts'

const pod = 'io.k8s.api.core.v1.Pod'

function envelope(raw: Uint8Array, kind = 'Pod', apiVersion = 'v1'): Uint8Array {
  const type = new BinaryWriter()
  type.uint32(10).string(apiVersion).uint32(18).string(kind)
  const unknown = new BinaryWriter().uint32(10).bytes(type.finish()).uint32(18).bytes(raw).finish()
  return Buffer.concat([Buffer.from('k8s\0'), unknown])
}

/** A message written by hand: field number and content in turn. */
function message(...fields: [number, string | number | bigint | boolean | Uint8Array][]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [number, value] of fields) {
    if (typeof value === 'string') writer.uint32(number * 8 + 2).string(value)
    else if (value instanceof Uint8Array) writer.uint32(number * 8 + 2).bytes(value)
    else writer.uint32(number * 8).int64(typeof value === 'bigint' ? value : Number(value))
  }
  return writer.finish()
}

test('a pod: inlined structs, times, quantities, zeros that mean something and zeros that do not', (t) => {
  const metadata = message(
    [1, 'p'],
    [2, ''],
    [7, 0],
    [8, new Uint8Array()],
    [11, message([1, 'app'], [2, 'web'])],
  )
  const volume = message([1, 'v'], [2, message([2, new Uint8Array()])])
  const resources = message([2, message([1, 'cpu'], [2, message([1, '500m'])])])
  const port = message([1, ''], [2, 0], [3, 80], [4, 'TCP'])
  const container = message([1, 'c'], [2, 'nginx'], [6, port], [8, resources], [16, false])
  const spec = message([1, volume], [2, container], [4, 0], [5, -7n], [11, false])
  const object = decodeProtobuf(envelope(message([1, metadata], [2, spec])), pod)
  t.deepEqual(object, {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'p', labels: { app: 'web' } },
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        {
          name: 'c',
          image: 'nginx',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: { requests: { cpu: '500m' } },
        },
      ],
      terminationGracePeriodSeconds: 0,
      activeDeadlineSeconds: -7,
    },
  })
})

test('times are RFC 3339, to the second or the microsecond', (t) => {
  const moment = message([1, 1_700_000_000], [2, 123_456_789])
  const metadata = message([1, 'e'], [8, moment])
  const lease = decodeProtobuf(
    envelope(message([1, metadata], [2, message([1, 'me'], [4, moment])]), 'Lease', 'coordination.k8s.io/v1'),
    'io.k8s.api.coordination.v1.Lease',
  )
  t.like(lease, {
    metadata: { creationTimestamp: '2023-11-14T22:13:20Z' },
    spec: { holderIdentity: 'me', renewTime: '2023-11-14T22:13:20.123456Z' },
  })
})

test('every kind that is served has a message whose fields its schema knows', (t) => {
  for (const { definition } of resourceTypes) {
    const fields = messageOf(messageName(definition))
    t.truthy(fields, definition)
    t.is(definitionName(messageName(definition)), definition)
    const properties = definitions().get(definition)?.properties ?? {}
    for (const { name } of fields?.values() ?? [])
      t.true(Object.hasOwn(properties, name), `${definition}.${name}`)
  }
})

test('bytes of any kind are read or refused as bad input, nothing else', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeProtobuf(envelope(bytes), pod)
      } catch (error) {
        t.like(error, { code: 'INVALID_ARGUMENT' })
      }
    }),
  )
  t.throws(() => decodeProtobuf(Buffer.from('{}'), pod), { code: 'INVALID_ARGUMENT' })
})
