import { env } from 'node:process'
import { KeelsonError } from '../../base/index.ts'
import type { Container, ExecRequest, Execution, Process } from '../../oci/index.ts'
import { validateProcess } from '../../oci/validate.ts'
import { requireInherited } from '../oci/activation.ts'
import { type Context, command } from '../oci/context.ts'
import { type ExecGiven, execOptions, processOf } from '../oci/exec-options.ts'
import { copyTerminal, forwardSignals } from '../oci/foreground.ts'
import { type Interrupts, interrupts } from '../oci/interrupts.ts'
import { readJson } from '../oci/read-json.ts'
import { checkConsole, preserveFds, writePidFile } from '../oci/start-options.ts'

export default command({
  name: 'exec',
  summary: 'run another program inside a running container',
  args: ['container', 'command...'],
  options: execOptions,
  failureCode: 255,
  async run(context, given) {
    const container = await (await context.runtime()).get(given.container)
    const { status } = await container.state()
    if (status === 'stopped') throw wrongState(given.container, 'is stopped', 'container not running')
    if (status === 'paused' && !given['ignore-paused'])
      throw wrongState(given.container, 'is paused', 'resume it, or give --ignore-paused')
    const process = await processToRun(container, given)
    const detached = given.detach === true
    checkConsole(process, detached, given['console-socket'])
    const request = requestOf(process, given, detached)
    if (given['dry-run']) return printPlan(context, given.container, request)
    using interrupted = interrupts(context.clock)
    const execution = await container.exec({ ...request, signal: interrupted.signal })
    await writePidFile(given['pid-file'], execution.pid)
    return detached ? 0 : await followToEnd(execution, process.terminal === true, interrupted)
  },
})

async function printPlan(
  { out, runtimeOptions }: Context,
  id: string,
  request: ExecRequest,
): Promise<number> {
  const { describeExec } = await import('../../oci/index.ts')
  out((await describeExec(runtimeOptions, id, request)).map((line) => `${line}\n`).join(''))
  return 0
}

function wrongState(id: string, state: string, hint: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', `container ${id} ${state}`, { op: 'exec', id, hint })
}

async function processToRun(
  container: Container,
  given: ExecGiven & { command: string[] },
): Promise<Process> {
  if (given.process !== undefined) return validateProcess(readJson(given.process))
  if (given.command.length === 0)
    throw new KeelsonError('INVALID_ARGUMENT', 'no program is given', {
      hint: 'name it after the container, or --process FILE',
    })
  const { process } = await container.spec()
  return validateProcess(processOf(process ?? { cwd: '/' }, given))
}

function requestOf(process: Process, given: ExecGiven, detached: boolean): ExecRequest {
  const socket = given['console-socket']
  const preserved = preserveFds(given['preserve-fds'])
  requireInherited(preserved, env)
  const foregroundTerminal = process.terminal === true && !detached
  return {
    process,
    stdio: foregroundTerminal ? 'pipe' : [0, 1, 2],
    stdin: foregroundTerminal,
    preserveFds: preserved,
    ...(given['pidfd-socket'] === undefined ? {} : { pidfdSocket: given['pidfd-socket'] }),
    ...(given.cgroup ? { cgroup: given.cgroup } : {}),
    ...(detached ? { detached: socket === undefined ? {} : { consoleSocket: socket } } : {}),
  }
}

async function followToEnd(
  execution: Execution,
  terminal: boolean,
  interrupted: Interrupts,
): Promise<number> {
  const send = (signal: number) => execution.kill(signal)
  using _signals = forwardSignals(send)
  interrupted.stop().forEach(send) // only now: without a listener for a moment, a signal would end us
  if (!terminal) return (await execution.wait()).exitCode
  using copy = copyTerminal({ ...streamsOf(execution), resize: (size) => execution.resize(size) })
  const { exitCode } = await execution.wait()
  await copy.drained
  return exitCode
}

function streamsOf({ stdin, stdout }: Execution) {
  return { ...(stdin ? { stdin } : {}), ...(stdout ? { stdout } : {}) }
}
