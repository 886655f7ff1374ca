import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { RestorePodRequest } from '../../cri/types.ts'
import { asKeelsonError } from '../../src/base/index.ts'
import { podPart } from '../../src/pod/checkpoint/documents.ts'
import { encodePodDump } from '../../src/pod/checkpoint/pod-dump.ts'
import type { ContainerRecord, SandboxRecord } from '../../src/pod/records.ts'
import { Bench, call } from '../support/pod-bench.ts'
import { containerConfig, podConfig } from '../support/pod-requests.ts'

/** The fake store unpacks every archive to one directory, so a container's parts lie beside the pod's. */
function archive(bench: Bench, image = 'nginx:1.7.9'): string {
  const directory = join(bench.path, 'unpacked')
  mkdirSync(join(directory, 'checkpoint'), { recursive: true })
  mkdirSync(join(directory, 'containers'))
  writeFileSync(join(directory, 'containers/0.tar'), '')
  const sandbox = { config: podConfig('web'), runtimeHandler: '' } as SandboxRecord
  const record = { config: containerConfig('main') } as ContainerRecord
  writeFileSync(join(directory, podPart), encodePodDump(sandbox, [record], 0))
  writeFileSync(join(directory, 'config.dump'), JSON.stringify({ rootfsImageName: image }))
  writeFileSync(join(bench.path, 'pod.tar'), '')
  bench.host.images.unpacked = directory
  return join(bench.path, 'pod.tar')
}

const restore = (bench: Bench, checkpointPath: string, more: object = {}) =>
  bench.runtime.restorePod(RestorePodRequest.fromPartial({ checkpointPath, ...more }), call)

const refused = async (t: ExecutionContext, given: Promise<unknown>) =>
  asKeelsonError(await t.throwsAsync(given))

test('a pod and its containers, created; asked again the same', async (t) => {
  await using bench = await Bench.open()
  const path = archive(bench)
  const first = await restore(bench, path)
  t.deepEqual(
    first.restoredContainers.map(({ name }) => name),
    ['main'],
  )
  t.deepEqual(await restore(bench, path), first)
  const { containers } = await bench.runtime.listContainers({ filter: undefined }, call)
  t.is(containers.length, 1)
  await bench.runtime.startContainer({ containerId: containers[0]?.id ?? '' }, call).catch(() => undefined)
})

test('all or nothing', async (t) => {
  await using bench = await Bench.open()
  const path = archive(bench, 'absent:1')
  const error = await refused(t, restore(bench, path))
  t.is(error.code, 'NOT_FOUND')
  t.regex(error.message, /"absent:1", over which/)
  t.deepEqual((await bench.runtime.listPodSandbox({ filter: undefined }, call)).items, [])
  t.is(bench.host.pins.pinned.size, 0)
})

test('a pod that is here is not taken for the restored one', async (t) => {
  await using bench = await Bench.open()
  const path = archive(bench)
  await bench.pod()
  t.is((await refused(t, restore(bench, path))).code, 'ALREADY_EXISTS')
  const { podSandboxId } = await restore(bench, path, { config: podConfig('other') })
  t.truthy(podSandboxId)
})

test('what is no archive of a pod', async (t) => {
  await using bench = await Bench.open()
  t.is((await refused(t, restore(bench, ''))).code, 'INVALID_ARGUMENT')
  t.is((await refused(t, restore(bench, 'a.tar'))).code, 'INVALID_ARGUMENT')
  t.is((await refused(t, restore(bench, '/no/such.tar'))).code, 'NOT_FOUND')
  t.is((await refused(t, restore(bench, bench.path))).code, 'INVALID_ARGUMENT')
  const path = archive(bench)
  t.is((await refused(t, restore(bench, path, { options: { a: 'b' } }))).code, 'INVALID_ARGUMENT')
  writeFileSync(join(bench.path, 'unpacked', podPart), '{"version":2}')
  t.regex((await refused(t, restore(bench, path))).message, /version 2, not 1/)
})
