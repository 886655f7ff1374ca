import test from 'ava'
import { SyscallError } from '../../src/base/index.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('a container whose files cannot be measured is told without them, and the others as ever', async (t) => {
  await using bench = await Bench.open()
  const { podId, id } = await bench.running()
  const other = await bench.container(podId, { metadata: { name: 'other', attempt: 0 } })
  await bench.runtime.startContainer({ containerId: other }, call)
  Object.assign(bench.host.images.snapshots, {
    usage: async (key: string) => {
      if (key === id) throw new SyscallError({ call: 'openat', errno: 'EMFILE' }, 'openat: EMFILE')
      return { bytes: 5, inodes: 2 }
    },
  })
  const { stats } = await bench.runtime.listContainerStats({ filter: undefined }, call)
  const told = new Map(stats.map((one) => [one.attributes?.id, one.writableLayer?.usedBytes?.value]))
  t.deepEqual(
    told,
    new Map([
      [id, undefined],
      [other, 5n],
    ]),
  )
})
