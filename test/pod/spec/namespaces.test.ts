import test from 'ava'
import { NamespaceMode as Mode, NamespaceOption } from '../../../cri/types.ts'
import { containerPid, needsHolder, podNamespaces, podPins } from '../../../src/pod/spec/namespaces.ts'
import { podConfig } from '../../support/pod-requests.ts'

const range = { hostId: 5000, containerId: 0, length: 10 }
const users = { mode: Mode.POD, uids: [range], gids: [range] }

const pod = (options: object | undefined) =>
  podNamespaces({
    ...podConfig('a'),
    linux: podConfig('a', { linux: { securityContext: options ? { namespaceOptions: options } : {} } }).linux,
  })
const of = (options: object) => NamespaceOption.fromPartial(options)

test('what a pod asks for, and what of it needs a process and a pin', (t) => {
  const cases = [
    [undefined, 'pod', true, ['network', 'ipc', 'uts', 'pid']],
    [{ pid: Mode.CONTAINER }, 'container', false, ['network', 'ipc', 'uts']],
    [{}, 'pod', true, ['network', 'ipc', 'uts', 'pid']],
    [{ pid: Mode.NODE, network: Mode.NODE, ipc: Mode.NODE }, 'host', false, []],
    [{ pid: Mode.CONTAINER, network: Mode.NODE, usernsOptions: users }, 'container', true, ['ipc', 'user']],
    [{ usernsOptions: users }, 'pod', true, ['network', 'ipc', 'uts', 'pid', 'user']],
  ] as const
  for (const [options, pid, held, pins] of cases) {
    const own = pod(options)
    t.deepEqual([own.pid, needsHolder(own), podPins(own)], [pid, held, [...pins]])
  }
})

test('a pod cannot join a target, nor mix a user namespace with the PID or IPC namespace of the host', (t) => {
  t.throws(() => pod({ pid: Mode.TARGET }), { message: /no container/ })
  t.throws(() => pod({ pid: Mode.NODE, usernsOptions: users }), { message: /of the host/ })
  t.throws(() => pod({ ipc: Mode.NODE, usernsOptions: users }), { message: /of the host/ })
})

test('the processes that a container sees', (t) => {
  const [alone, shared, node] = [pod({ pid: Mode.CONTAINER }), pod({}), pod({ pid: Mode.NODE })]
  t.deepEqual(containerPid(undefined, shared), { kind: 'pod' })
  t.deepEqual(containerPid(undefined, node), { kind: 'host' })
  t.deepEqual(containerPid(of({ pid: Mode.CONTAINER }), shared), { kind: 'container' })
  t.deepEqual(containerPid(of({}), shared), { kind: 'pod' })
  t.deepEqual(containerPid(of({}), node), { kind: 'host' })
  t.deepEqual(containerPid(of({ pid: Mode.NODE }), shared), { kind: 'host' })
  t.deepEqual(containerPid(of({ pid: Mode.TARGET, targetId: 'x' }), alone), {
    kind: 'target',
    containerId: 'x',
  })
  t.throws(() => containerPid(of({ pid: Mode.TARGET }), alone), { message: /target_id/ })
  t.throws(() => containerPid(of({}), alone), { message: /no PID namespace/ })
  const held = pod({ usernsOptions: users })
  t.throws(() => containerPid(of({ pid: Mode.NODE }), held), { message: /of the host/ })
})
