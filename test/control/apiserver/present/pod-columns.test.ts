import test from 'ava'
import type { Pod, PodStatus } from '../../../../src/api/index.ts'
import { podColumns } from '../../../../src/control/apiserver/present/pod-columns.ts'

const nowMs = Date.parse('2026-01-01T00:10:00Z')

function cells(
  status: PodStatus,
  more: Partial<Pod['metadata']> = {},
  spec: Partial<Pod['spec']> = {},
): unknown[] {
  const metadata = { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z', ...more }
  const pod = { metadata, spec: { containers: [{ name: 'c' }], ...spec }, status }
  return podColumns.slice(0, 5).map(({ cell }) => cell(pod, nowMs))
}

const running = { name: 'c', ready: true, restartCount: 0, image: 'i', imageID: '', state: { running: {} } }
const waiting = (reason: string) => ({ ...running, ready: false, state: { waiting: { reason } } })
const ended = (exitCode: number, reason?: string) => ({
  ...running,
  ready: false,
  state: { terminated: { exitCode, reason } },
})

test('phases and container states in kubectl’s words', (t) => {
  t.deepEqual(cells({ phase: 'Pending' }), ['p', '0/1', 'Pending', '0', '10m'])
  t.deepEqual(cells({ phase: 'Running', containerStatuses: [running] }), ['p', '1/1', 'Running', '0', '10m'])
  t.is(cells({ phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff')] })[2], 'ImagePullBackOff')
  t.is(cells({ phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] })[2], 'Completed')
  t.is(cells({ phase: 'Failed', containerStatuses: [ended(3)] })[2], 'ExitCode:3')
  t.is(
    cells({ phase: 'Running', containerStatuses: [running] }, { deletionTimestamp: 'x' })[2],
    'Terminating',
  )
  t.is(cells({ phase: 'Failed', reason: 'Evicted' })[2], 'Evicted')
})

test('restarts tell when the last one was', (t) => {
  const lastState = { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:09:00Z' } }
  t.is(cells({ containerStatuses: [{ ...running, restartCount: 3, lastState }] })[3], '3 (60s ago)')
})

test('init containers show until they are through; sidecars count as containers', (t) => {
  const init = { initContainers: [{ name: 'a' }, { name: 'b' }] }
  const a = { ...ended(0), name: 'a' }
  const b = { ...waiting('PodInitializing'), name: 'b' }
  t.is(cells({ phase: 'Pending', initContainerStatuses: [a, b] }, {}, init)[2], 'Init:1/2')
  t.is(
    cells({ phase: 'Pending', initContainerStatuses: [{ ...ended(1, 'Error'), name: 'a' }, b] }, {}, init)[2],
    'Init:Error',
  )
  const sidecar = { initContainers: [{ name: 's', restartPolicy: 'Always' }] }
  const s = { ...running, name: 's', started: true }
  t.deepEqual(
    cells({ phase: 'Running', containerStatuses: [running], initContainerStatuses: [s] }, {}, sidecar).slice(
      1,
      3,
    ),
    ['2/2', 'Running'],
  )
})
