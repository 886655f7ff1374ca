import type { Container, CreateRequest, StartOptions } from '../../oci/index.ts'
import { type Context, command } from '../oci/context.ts'
import { copyTerminal, forwardSignals } from '../oci/foreground.ts'
import { type Interrupts, interrupts } from '../oci/interrupts.ts'
import {
  checkConsole,
  detachedLife,
  notifySocket,
  orDelete,
  printPlan,
  readStart,
  type StartGiven,
  startOptions,
  writePidFile,
} from '../oci/start-options.ts'

export default command({
  name: 'run',
  summary: 'create and start a container; in the foreground, wait for it and delete it',
  args: ['container'],
  options: {
    ...startOptions,
    detach: { type: 'boolean', short: 'd', help: 'leave the container running' },
    keep: { type: 'boolean', help: 'do not delete the container when it has ended' },
    'no-subreaper': { type: 'boolean', help: 'leave the container’s orphans to our caller’s subreaper' },
  },
  async run(context, given) {
    const { detach = false, keep = false } = given
    const { request, terminal } = requestOf(given, detach)
    if (given['dry-run']) return printPlan(context, request)
    using interrupted = interrupts(context.clock)
    const container = await createAndStart(context, given, request, detach, interrupted)
    if (detach) return 0
    try {
      return await followToEnd(container, terminal, interrupted)
    } finally {
      if (!keep) await container.delete({ force: true })
    }
  },
})

function requestOf(given: StartGiven & { container: string; 'no-subreaper'?: boolean }, detach: boolean) {
  const { common, spec, preserveFds } = readStart(given)
  if (spec.process) checkConsole(spec.process, detach, given['console-socket'])
  const life = detach
    ? detachedLife(given, preserveFds)
    : ({ kind: 'foreground', stdio: [0, 1, 2], preserveFds, subreaper: !given['no-subreaper'] } as const)
  const request: CreateRequest = { ...common, id: given.container, life }
  return { request, terminal: spec.process?.terminal === true }
}

async function createAndStart(
  context: Context,
  given: StartGiven,
  request: CreateRequest,
  detach: boolean,
  { signal, orStop }: Interrupts,
): Promise<Container> {
  const container = await (await context.runtime()).create({ ...request, signal })
  await orDelete(container, context, async () => {
    await writePidFile(given['pid-file'], (await container.state()).pid)
    await orStop(container.start({ ...startedBy(detach), signal }))
  })
  return container
}

/** In the foreground we are the service that the manager knows, and have the container to look after meanwhile. */
function startedBy(detach: boolean): StartOptions {
  const socket = notifySocket()
  if (socket === undefined) return {}
  return { notify: detach ? { socket } : { socket, mainPid: process.pid, wait: false } }
}

async function followToEnd(
  container: Container,
  terminal: boolean,
  interrupted: Interrupts,
): Promise<number> {
  const send = (signal: number) => void container.kill(signal).catch(() => undefined)
  using _signals = forwardSignals(send)
  interrupted.stop().forEach(send) // only now: without a listener for a moment, a signal would end us
  if (!terminal) return (await container.wait()).exitCode
  await using attachment = await container.attach()
  using copy = copyTerminal({ ...attachment, resize: (size) => void container.resize(size) })
  const { exitCode } = await container.wait()
  await copy.drained
  return exitCode
}
