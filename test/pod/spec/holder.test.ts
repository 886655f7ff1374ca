import test from 'ava'
import { NamespaceMode } from '../../../cri/types.ts'
import { validateSpec } from '../../../src/oci/index.ts'
import { holderSpec } from '../../../src/pod/spec/holder.ts'
import { podConfig } from '../../support/pod-requests.ts'

const range = { hostId: 5000, containerId: 0, length: 10 }

function specOf(namespaceOptions: object) {
  const config = podConfig('web', { linux: { securityContext: { namespaceOptions } } })
  return holderSpec({ config, cgroupsPath: '/pod/id', root: '/run/empty', oomScoreAdj: -998 })
}

test('it makes the namespaces of the pod, a PID namespace in any case, and has no rights', (t) => {
  const types = (options: object) => specOf(options).linux?.namespaces?.map(({ type }) => type)
  t.deepEqual(types({}), ['mount', 'cgroup', 'pid', 'network', 'ipc', 'uts'])
  const uids = [range]
  const usernsOptions = { mode: NamespaceMode.POD, uids, gids: uids }
  const held = { pid: NamespaceMode.CONTAINER, network: NamespaceMode.NODE, usernsOptions }
  t.deepEqual(types(held), ['mount', 'cgroup', 'pid', 'ipc', 'user'])
  const spec = specOf(held)
  t.is(spec.hostname, undefined)
  t.deepEqual(spec.linux?.uidMappings, [{ containerID: 0, hostID: 5000, size: 10 }])
  t.deepEqual(spec.process?.capabilities, {})
  t.true(spec.process?.noNewPrivileges)
  t.deepEqual(spec.root, { path: '/run/empty', readonly: true })
  t.is(specOf({}).hostname, 'web')
  t.notThrows(() => validateSpec({ ...spec, process: { ...spec.process, args: ['none'] } }))
})
