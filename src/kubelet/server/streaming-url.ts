import type { Call, RuntimeService } from '../../../cri/service.ts'
import { KeelsonError } from '../../base/index.ts'
import { findPod, runningContainer, type TargetSources } from './pod-target.ts'

/**
 * Asks the runtime where the stream of an exec, attach or port-forward request is. Paths are
 * `/exec|attach/{ns}/{pod}[/{uid}]/{container}` and `/portForward/{ns}/{pod}[/{uid}]`.
 */
export async function streamingUrl(
  url: URL,
  runtime: RuntimeService,
  sources: TargetSources,
  call: Call,
): Promise<URL> {
  const [verb = '', namespace = '', name = '', ...rest] = decodedPath(url)
  if (verb === 'portForward') {
    const { have } = await findPod(sources, { namespace, name, uid: rest[0] }, call)
    const podSandboxId = have.sandboxes.find(({ ready }) => ready)?.id
    if (podSandboxId === undefined) throw new KeelsonError('NOT_FOUND', `pod "${name}" is not running`)
    const port = url.searchParams.getAll('port').flatMap((text) => text.split(',').map(Number))
    return new URL((await runtime.portForward({ podSandboxId, port }, call)).url)
  }
  const container = rest.at(-1)
  if ((verb !== 'exec' && verb !== 'attach') || container === undefined)
    throw new KeelsonError('NOT_FOUND', `no such path: ${url.pathname}`)
  const uid = rest.length > 1 ? rest[0] : undefined
  const target = await findPod(sources, { namespace, name, uid }, call)
  const containerId = runningContainer(target, container).id
  const streams = streamsOf(url.searchParams)
  if (verb === 'attach') return new URL((await runtime.attach({ containerId, ...streams }, call)).url)
  const cmd = url.searchParams.getAll('command')
  return new URL((await runtime.exec({ containerId, cmd, ...streams }, call)).url)
}

/** INVALID_ARGUMENT for what is no percent-encoded UTF-8. */
export function decodedPath({ pathname }: URL): string[] {
  try {
    return pathname.split('/').slice(1).map(decodeURIComponent)
  } catch (error) {
    throw new KeelsonError('INVALID_ARGUMENT', `the path ${pathname} is malformed`, { cause: error })
  }
}

/** The kubelet's own names (`input=1`), and those of the API server (`stdin=true`). */
function streamsOf(query: URLSearchParams) {
  const any = (...names: string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''))
  const tty = any('tty')
  return {
    tty,
    stdin: any('input', 'stdin'),
    stdout: any('output', 'stdout'),
    // A terminal has one output; the runtime refuses to split it.
    stderr: !tty && any('error', 'stderr'),
  }
}
