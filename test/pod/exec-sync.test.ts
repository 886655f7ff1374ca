import test, { type ExecutionContext } from 'ava'
import { settle } from '../support/fake-clock.ts'
import { FakeExecution } from '../support/fake-execution.ts'
import { Bench, call } from '../support/pod-bench.ts'

/** A running container with a command in it that takes at most a second. */
async function scene() {
  const bench = await Bench.open()
  const { id, live } = await bench.running()
  const execution = new FakeExecution()
  live.execution = execution
  const run = (signal = call.signal) =>
    bench.runtime.execSync({ containerId: id, cmd: ['probe'], timeout: 1n }, { signal })
  return { bench, execution, run }
}

function isLetGo(t: ExecutionContext, { stdout, stderr }: FakeExecution): void {
  t.deepEqual([stdout.destroyed, stderr.destroyed], [true, true])
}

test('a child that keeps the output open is waited for as long as the drain takes, then let go', async (t) => {
  const { bench, execution, run } = await scene()
  await using _bench = bench
  const running = run()
  execution.stdout.write('out')
  execution.stderr.write('err')
  await settle()
  execution.end(3)
  await bench.clock.advance(249)
  t.false(execution.stdout.destroyed)
  await bench.clock.advance(1)
  const { exitCode, stdout, stderr } = await running
  t.deepEqual([exitCode, stdout.toString(), stderr.toString()], [3, 'out', 'err'])
  isLetGo(t, execution)
})

test('of a command that took too long nothing is kept, whoever holds its output', async (t) => {
  const { bench, execution, run } = await scene()
  await using _bench = bench
  const late = t.throwsAsync(run(), { message: /did not end within 1 s/ })
  await bench.clock.advance(1000)
  await late
  t.deepEqual(execution.signals, ['SIGKILL'])
  isLetGo(t, execution)
})

test('nor of one whose caller gave up', async (t) => {
  const { bench, execution, run } = await scene()
  await using _bench = bench
  const abort = new AbortController()
  const givenUp = t.throwsAsync(run(abort.signal))
  await settle()
  abort.abort()
  await givenUp
  t.deepEqual(execution.signals, ['SIGKILL'])
  isLetGo(t, execution)
})
