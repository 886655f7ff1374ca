import test from 'ava'
import { LinuxContainerResources } from '../../cri/types.ts'
import { hasCode } from '../../src/base/index.ts'
import { Bench, call } from '../support/pod-bench.ts'

const request = (podSandboxId: string, memoryLimitInBytes: bigint) => ({
  podSandboxId,
  overhead: undefined,
  resources: LinuxContainerResources.fromPartial({ memoryLimitInBytes }),
})

test('kept with the sandbox, also after a restart; refused for one that is not there or not ready', async (t) => {
  await using bench = await Bench.open()
  const id = await bench.pod()
  await bench.runtime.updatePodSandboxResources(request(id, 5000n), call)
  await bench.restart()
  const { info } = await bench.runtime.podSandboxStatus({ podSandboxId: id, verbose: true }, call)
  t.like(JSON.parse(info['info'] ?? '{}'), { resources: { memory_limit_in_bytes: 5000 } })
  const codeOf = async (podId: string, limit: bigint) => {
    const error = await t.throwsAsync(bench.runtime.updatePodSandboxResources(request(podId, limit), call))
    return ['NOT_FOUND', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION'].find((code) =>
      hasCode(error, code as never),
    )
  }
  t.is(await codeOf('nope', 1n), 'NOT_FOUND')
  t.is(await codeOf(id, -7n), 'INVALID_ARGUMENT')
  await bench.runtime.stopPodSandbox({ podSandboxId: id }, call)
  t.is(await codeOf(id, 1n), 'FAILED_PRECONDITION')
})
