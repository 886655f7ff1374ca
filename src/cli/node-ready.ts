import {
  ApiClient,
  createHttpTransport,
  hasCondition,
  Informer,
  readKubeconfig,
  resources,
} from '../api/index.ts'
import { KeelsonError, silentLogger } from '../base/index.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { pathsOf } from './paths.ts'

/** Waits for the event, with a bound: a node that cannot become ready says why in its condition. */
export async function nodeReady(
  { clock, signal }: Context,
  config: Config,
  timeoutMs = 30_000,
): Promise<void> {
  const { transport } = await readKubeconfig(pathsOf(config).adminKubeconfig)
  await using connection = createHttpTransport(transport)
  const done = new AbortController()
  const nodes = new Informer({
    client: new ApiClient(connection),
    type: resources.nodes,
    fieldSelector: `metadata.name=${config.nodeName}`,
    clock,
    log: silentLogger,
  })
  nodes.start(AbortSignal.any([done.signal, signal]))
  let reason = 'it has not registered'
  const ready = new Promise<true>((resolve) => {
    nodes.onChange(({ object }) => {
      const condition = object.status?.conditions?.find(({ type }) => type === 'Ready')
      reason = condition?.message ?? reason
      if (hasCondition(object.status?.conditions, 'Ready')) resolve(true)
    })
  })
  const late = clock.sleep(timeoutMs, AbortSignal.any([done.signal, signal])).then(() => false)
  try {
    if (!(await Promise.race([ready, late])))
      throw new KeelsonError('DEADLINE_EXCEEDED', `node ${config.nodeName} is not ready: ${reason}`, {
        hint: `its log: ${pathsOf(config).logs}/node.log`,
      })
  } finally {
    done.abort()
    await Promise.allSettled([late, nodes.stopped()])
  }
}
