import { PassThrough } from 'node:stream'
import test from 'ava'
import { ExecRequest } from '../../cri/types.ts'
import { settle } from '../support/fake-clock.ts'
import { FakeExecution } from '../support/fake-execution.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('the streams of an exec are let go with it, also when a child holds the other ends', async (t) => {
  await using bench = await Bench.open()
  const { id, live } = await bench.running()
  const execution = new FakeExecution()
  live.execution = execution
  const request = ExecRequest.fromPartial({ containerId: id, cmd: ['sh'], stdin: true, stdout: true })
  await bench.runtime.exec(request, call)
  const output = new PassThrough()
  const session = bench.host.streaming.session({
    stdin: new PassThrough(),
    stdout: output,
    onResize() {},
    signal: call.signal,
  })
  await settle()
  execution.stdout.write('out')
  execution.end(3)
  await bench.clock.advance(1000)
  t.deepEqual(await session, { exitCode: 3 })
  t.is(output.read()?.toString(), 'out')
  const { stdin, stdout, stderr } = execution
  t.deepEqual(
    [stdin, stdout, stderr].map(({ destroyed }) => destroyed),
    [true, true, true],
  )
})
