import test from 'ava'
import { AttachRequest } from '../../cri/types.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('a client is expected to open what it asked for, whether the container has a terminal or not', async (t) => {
  await using bench = await Bench.open()
  const { id } = await bench.running({ tty: true })
  const asks = (more: Partial<AttachRequest>) =>
    bench.runtime.attach(AttachRequest.fromPartial({ containerId: id, stdout: true, ...more }), call)
  await asks({ stderr: true, tty: false })
  t.like(bench.host.streaming.wanted, { stdout: true, stderr: false, tty: false })
  await asks({ stdin: true, tty: true })
  t.like(bench.host.streaming.wanted, { stdin: true, stdout: true, stderr: false, tty: true })
})
