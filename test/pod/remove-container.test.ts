import test from 'ava'
import { hasCode } from '../../src/base/index.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('a start asked for while the container is removed finds nothing, and nobody waits for ever', async (t) => {
  await using bench = await Bench.open()
  const containerId = await bench.container(await bench.pod())
  const removing = bench.runtime.removeContainer({ containerId }, call)
  const starting = t.throwsAsync(bench.runtime.startContainer({ containerId }, call))
  await removing
  t.true(hasCode(await starting, 'NOT_FOUND'))
  t.is(bench.host.runtime.requests.length, 0)
  t.is(bench.host.images.prepared.size, 0)
})

test('a removal asked for while the container starts waits, and takes it along', async (t) => {
  await using bench = await Bench.open()
  const containerId = await bench.container(await bench.pod())
  const starting = bench.runtime.startContainer({ containerId }, call)
  await bench.runtime.removeContainer({ containerId }, call)
  await starting
  t.is(bench.host.runtime.requests.length, 1)
  t.is(bench.host.runtime.containers.size + bench.host.images.prepared.size, 0)
})
