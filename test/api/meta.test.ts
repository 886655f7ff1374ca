import test from 'ava'
import {
  type ConditionLike,
  controllerReference,
  isControlledBy,
  keyOf,
  microTimestamp,
  type ReplicaSet,
  resources,
  splitKey,
  timestamp,
  withCondition,
} from '../../src/api/index.ts'

const owner: ReplicaSet = {
  metadata: { name: 'rs', namespace: 'default', uid: 'u1' },
  spec: { selector: {} },
}

test('keys', (t) => {
  t.is(keyOf(owner), 'default/rs')
  t.deepEqual(splitKey('default/rs'), { namespace: 'default', name: 'rs' })
  t.deepEqual(splitKey('node1'), { namespace: undefined, name: 'node1' })
  t.throws(() => keyOf({ metadata: {} }))
})

test('a controller reference names the owner by uid', (t) => {
  const reference = controllerReference(resources.replicasets, owner)
  t.like(reference, { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u1', controller: true })
  t.true(isControlledBy({ metadata: { ownerReferences: [reference] } }, owner))
  t.false(isControlledBy({ metadata: { ownerReferences: [{ ...reference, uid: 'u2' }] } }, owner))
  t.false(isControlledBy({ metadata: {} }, { metadata: {} }))
})

test('a condition moves its transition time only with its status', (t) => {
  const first = withCondition<ConditionLike>([], { type: 'Ready', status: 'False' }, 0)
  t.is(first[0]?.lastTransitionTime, '1970-01-01T00:00:00Z')
  const reason = withCondition(first, { type: 'Ready', status: 'False', reason: 'Why' }, 5_000)
  t.like(reason[0], { lastTransitionTime: '1970-01-01T00:00:00Z', reason: 'Why' })
  t.is(withCondition(reason, { type: 'Ready', status: 'False', reason: 'Why' }, 9_000), reason)
  const moved = withCondition(reason, { type: 'Ready', status: 'True' }, 5_000)
  t.is(moved[0]?.lastTransitionTime, '1970-01-01T00:00:05Z')
})

test('times are written as the API writes them', (t) => {
  t.is(timestamp(1_234), '1970-01-01T00:00:01Z')
  t.is(microTimestamp(1_234), '1970-01-01T00:00:01.234000Z')
})
