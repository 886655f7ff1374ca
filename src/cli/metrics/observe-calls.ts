import { codeOf } from '../../../cri/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { CriMetrics } from './cri-metrics.ts'

/** Each call is a line at debug; one that failed as no caller could expect is a line at warn. */
export interface CallObserver {
  clock: Clock
  log: Logger
  metrics?: CriMetrics | undefined
  ended?: ((method: string) => void) | undefined
}

type Method = (...args: unknown[]) => Promise<unknown> | AsyncIterable<unknown>

/** The same service, of which every call is counted, timed and logged. */
export function observeCalls<Service extends object>(service: Service, observer: CallObserver): Service {
  const methods = Object.entries(service).map(([name, method]) => [
    name,
    observed(nameOnTheWire(name), method as Method, observer),
  ])
  return Object.fromEntries(methods) as Service
}

function observed(name: string, method: Method, observer: CallObserver): Method {
  return (...args) => {
    const ended = begin(name, observer)
    const result = method(...args)
    return Symbol.asyncIterator in result ? observedStream(result, ended) : observedCall(result, ended)
  }
}

async function observedCall(result: Promise<unknown>, ended: (error?: unknown) => void): Promise<unknown> {
  try {
    const answer = await result
    ended()
    return answer
  } catch (error) {
    ended(error)
    throw error
  }
}

async function* observedStream(
  messages: AsyncIterable<unknown>,
  ended: (error?: unknown) => void,
): AsyncGenerator<unknown> {
  let failure: unknown
  try {
    yield* messages
  } catch (error) {
    failure = error
    throw error
  } finally {
    ended(failure)
  }
}

function begin(method: string, { clock, log, metrics, ended }: CallObserver): (error?: unknown) => void {
  const startedMs = clock.monotonicMs()
  metrics?.requestsInFlight.add({}, 1)
  return (error) => {
    ended?.(method)
    const ms = clock.monotonicMs() - startedMs
    const code = error === undefined ? 'OK' : codeOf(error)
    metrics?.requestsInFlight.add({}, -1)
    metrics?.requests.add({ method, code })
    metrics?.requestSeconds.observe({ method }, ms / 1000)
    const fields = { method, code, ms: Math.round(ms * 10) / 10, ...(error !== undefined && { error }) }
    if (code === 'UNKNOWN' || code === 'INTERNAL') log.warn('call failed', fields)
    else log.debug('call', fields)
  }
}

/** runPodSandbox → RunPodSandbox. */
function nameOnTheWire(name: string): string {
  return `${name[0]?.toUpperCase()}${name.slice(1)}`
}
