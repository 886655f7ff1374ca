import test from 'ava'
import type { Node, Pod, Taint } from '../../../src/api/index.ts'
import { tolerationLeftMs, wantedTaints } from '../../../src/control/controllers/node-lifecycle.ts'

const now = '2026-01-01T00:00:00Z'
const node = (status: string, taints: Taint[] = []): Node => ({
  metadata: { name: 'n1' },
  spec: { taints },
  status: { conditions: [{ type: 'Ready', status }] },
})
const podTolerating = (tolerations: NonNullable<Pod['spec']>['tolerations']): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [], tolerations },
})

test('taints follow the Ready condition and leave others alone', (t) => {
  const own: Taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' }
  t.deepEqual(wantedTaints(node('True', [own]), now), [own])
  const keys = (status: string) =>
    wantedTaints(node(status, [own]), now).map(({ key, effect }) => `${key}:${effect}`)
  t.deepEqual(keys('Unknown').slice(1), [
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/unreachable:NoExecute',
  ])
  t.deepEqual(keys('False').slice(1), [
    'node.kubernetes.io/not-ready:NoSchedule',
    'node.kubernetes.io/not-ready:NoExecute',
  ])
  const tainted = wantedTaints(node('Unknown'), now)
  t.deepEqual(wantedTaints(node('Unknown', tainted), '2026-01-02T00:00:00Z'), tainted, 'timeAdded stays')
  t.deepEqual(wantedTaints(node('True', tainted), now), [])
})

test('a pod stays as long as its toleration says', (t) => {
  const taint: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: now }
  const at = Date.parse(now) + 100_000
  t.is(tolerationLeftMs(podTolerating([]), [taint], at), 0)
  const bounded = [
    { key: taint.key, operator: 'Exists' as const, effect: 'NoExecute' as const, tolerationSeconds: 300 },
  ]
  t.is(tolerationLeftMs(podTolerating(bounded), [taint], at), 200_000)
  t.is(tolerationLeftMs(podTolerating([{ operator: 'Exists' }]), [taint], at), Number.POSITIVE_INFINITY)
})
