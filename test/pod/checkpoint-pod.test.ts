import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { asKeelsonError } from '../../src/base/index.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('all containers of a pod stand still while the first of them is written', async (t) => {
  await using bench = await Bench.open()
  mkdirSync(join(bench.path, 'bin'))
  writeFileSync(join(bench.path, 'bin/criu'), '', { mode: 0o755 })
  const podSandboxId = await bench.pod()
  const ids: string[] = []
  for (const name of ['one', 'two', 'idle'])
    ids.push(await bench.container(podSandboxId, { metadata: { name } }))
  const running = ids.slice(0, 2)
  for (const containerId of running) await bench.runtime.startContainer({ containerId }, call)
  const containers = running.map((id) => bench.host.runtime.container(id))
  const seen: string[][] = []
  for (const container of containers)
    container.dump = async ({ imagePath }) => {
      seen.push(containers.map(({ status }) => status))
      mkdirSync(imagePath)
    }
  const outputPath = join(bench.path, 'pod.tar')
  const request = { podSandboxId, outputPath, containerIds: [], options: {} }
  await bench.runtime.checkpointPod(request, call)
  t.deepEqual(seen, [
    ['paused', 'paused'],
    ['paused', 'paused'],
  ])
  t.deepEqual(
    containers.map(({ status }) => status),
    ['running', 'running'],
  )
  t.true(existsSync(outputPath))

  const code = async (more: object) =>
    asKeelsonError(await t.throwsAsync(bench.runtime.checkpointPod({ ...request, ...more }, call))).code
  t.is(await code({ podSandboxId: 'none' }), 'NOT_FOUND')
  t.is(await code({ containerIds: [ids[2]] }), 'FAILED_PRECONDITION', 'it does not run')
  t.is(await code({ options: { compress: 'yes' } }), 'INVALID_ARGUMENT')
  t.is(await code({ outputPath: 'pod.tar' }), 'INVALID_ARGUMENT')
  const other = await bench.container(await bench.pod('other'))
  t.is(await code({ containerIds: [other] }), 'INVALID_ARGUMENT')
  await bench.runtime.stopPodSandbox({ podSandboxId }, call)
  t.is(await code({}), 'FAILED_PRECONDITION')
})
