import test from 'ava'
import type { Node, Pod } from '../../../src/api/index.ts'
import { tolerates, whyNot } from '../../../src/control/scheduler/filters.ts'
import { NodeView } from '../../../src/control/scheduler/node-view.ts'
import { podRequests } from '../../../src/control/scheduler/requests.ts'
import { unschedulableMessage } from '../../../src/control/scheduler/scheduler.ts'

const node: Node = {
  metadata: { name: 'n1', labels: { zone: 'a', disk: 'ssd', cores: '8' } },
  status: { allocatable: { cpu: '2', memory: '4Gi', pods: '3' } },
}

function pod(uid: string, spec: Partial<NonNullable<Pod['spec']>> = {}): Pod {
  return {
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers: [{ name: 'c' }], ...spec },
  }
}
const asking = (uid: string, cpu: string, memory = '1Mi') =>
  pod(uid, { containers: [{ name: 'c', resources: { requests: { cpu, memory } } }] })

test('requests: containers add up, a greedy init container counts alone, limits stand in', (t) => {
  const greedy = pod('p', {
    initContainers: [{ name: 'i', resources: { requests: { cpu: '1500m' } } }],
    containers: [
      { name: 'a', resources: { requests: { cpu: '500m', memory: '1Gi' } } },
      { name: 'b', resources: { limits: { cpu: '250m' } } },
    ],
    overhead: { cpu: '10m' },
  })
  t.deepEqual(Object.fromEntries(podRequests(greedy)), { cpu: 1510, memory: 2 ** 30, pods: 1 })
})

test('a node fills up by requests and by count', (t) => {
  const view = new NodeView(node, [asking('a', '1500m')])
  t.is(whyNot(asking('b', '600m', '5Gi'), view), 'Insufficient cpu, Insufficient memory')
  t.is(whyNot(asking('b', '500m'), view), undefined)
  view.add(pod('b'))
  view.add(pod('c'))
  t.is(whyNot(pod('d'), view), 'Too many pods')
  view.remove(pod('c'))
  t.is(whyNot(pod('d'), view), undefined)
})

test('cordoned and tainted nodes take only pods that tolerate it', (t) => {
  const cordoned = new NodeView({ ...node, spec: { unschedulable: true } })
  t.is(whyNot(pod('p'), cordoned), 'node(s) were unschedulable')
  const taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' as const }
  const tainted = new NodeView({ ...node, spec: { taints: [taint] } })
  t.is(whyNot(pod('p'), tainted), 'node(s) had untolerated taint {dedicated: db}')
  t.is(whyNot(pod('p', { tolerations: [{ key: 'dedicated', operator: 'Exists' }] }), tainted), undefined)
  t.true(tolerates(pod('p', { tolerations: [{ operator: 'Exists' }] }), taint))
  t.false(tolerates(pod('p', { tolerations: [{ key: 'dedicated', value: 'web' }] }), taint))
  t.false(
    tolerates(
      pod('p', { tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoExecute' }] }),
      taint,
    ),
  )
})

test('node selector and required affinity', (t) => {
  const view = new NodeView(node)
  const requiring = (...nodeSelectorTerms: object[]) =>
    pod('p', {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: nodeSelectorTerms as never[] },
        },
      },
    })
  const refusal = "node(s) didn't match Pod's node affinity/selector"
  t.is(whyNot(pod('p', { nodeSelector: { zone: 'a' } }), view), undefined)
  t.is(whyNot(pod('p', { nodeSelector: { zone: 'b' } }), view), refusal)
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  })
  t.is(whyNot(requiring(expression('zone', 'In', 'b', 'a')), view), undefined)
  t.is(whyNot(requiring(expression('zone', 'NotIn', 'a')), view), refusal)
  t.is(
    whyNot(requiring(expression('zone', 'NotIn', 'a'), expression('disk', 'Exists')), view),
    undefined,
    'terms are or-ed',
  )
  t.is(whyNot(requiring(expression('cores', 'Gt', '4')), view), undefined)
  t.is(whyNot(requiring(expression('cores', 'Lt', '4')), view), refusal)
  t.is(
    whyNot(requiring({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }), view),
    undefined,
  )
  t.is(whyNot(requiring({}), view), refusal, 'an empty term matches nothing')
})

test('host ports clash by protocol, port and address', (t) => {
  const port = (hostPort: number, hostIP?: string, protocol?: 'TCP' | 'UDP') =>
    pod(`p${hostPort}${hostIP}${protocol}`, {
      containers: [{ name: 'c', ports: [{ containerPort: 1, hostPort, hostIP, protocol }] }],
    })
  const view = new NodeView(node, [port(80, '10.0.0.1')])
  t.is(whyNot(port(80), view), "node(s) didn't have free ports for the requested pod ports")
  t.is(whyNot(port(80, '10.0.0.2'), view), undefined)
  t.is(whyNot(port(80, undefined, 'UDP'), view), undefined)
  t.is(whyNot(port(81), view), undefined)
})

test('the message counts nodes by reason', (t) => {
  const reasons = new Map([
    ['Insufficient cpu', 1],
    ['node(s) were unschedulable', 2],
  ])
  t.is(
    unschedulableMessage(3, reasons),
    '0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.',
  )
  t.is(unschedulableMessage(0, new Map()), 'no nodes available to schedule pods')
})
