import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { RuntimeService } from '../../cri/service.ts'
import type { Container, HTTPGetAction, Pod } from '../api/index.ts'
import { asKeelsonError, type Clock, KeelsonError } from '../base/index.ts'

/** What a probe or a lifecycle hook does: exactly one of these is set. */
export interface Action {
  exec?: { command?: string[] | undefined } | undefined
  httpGet?: HTTPGetAction | undefined
  tcpSocket?: { host?: string | undefined; port: number | string } | undefined
  sleep?: { seconds: number } | undefined
  grpc?: unknown
}

/** On what it is done. */
export interface ActionTarget {
  pod: Pod
  container: Container
  containerId: string
  podIP: string | undefined
}

export interface ActionTools {
  runtime: RuntimeService
  clock: Clock
}

export interface ActionResult {
  ok: boolean
  /** For people: output of the command, status of the answer, the failure. */
  detail: string
}

const detailMax = 1024

/** Runs the action to its end or for `timeoutMs`. Failing is a result; only the caller's `signal` makes it reject. */
export async function runAction(
  action: Action,
  target: ActionTarget,
  timeoutMs: number,
  tools: ActionTools,
  signal: AbortSignal,
): Promise<ActionResult> {
  const deadline = new AbortController()
  const cancel = tools.clock.after(timeoutMs, () => deadline.abort())
  const both = AbortSignal.any([signal, deadline.signal])
  try {
    return await perform(action, target, timeoutMs, tools, both)
  } catch (error) {
    signal.throwIfAborted()
    if (deadline.signal.aborted) return { ok: false, detail: `timed out after ${timeoutMs / 1000}s` }
    return { ok: false, detail: asKeelsonError(error).message.slice(0, detailMax) }
  } finally {
    cancel()
  }
}

function perform(
  action: Action,
  target: ActionTarget,
  timeoutMs: number,
  { runtime, clock }: ActionTools,
  signal: AbortSignal,
): Promise<ActionResult> {
  if (action.exec) return exec(runtime, target, action.exec.command ?? [], timeoutMs, signal)
  if (action.httpGet) return httpGet(action.httpGet, target, signal)
  if (action.tcpSocket) return tcpSocket(action.tcpSocket, target, signal)
  if (action.sleep)
    return clock.sleep(action.sleep.seconds * 1000, signal).then(() => ({ ok: true, detail: '' }))
  throw new KeelsonError(
    'UNIMPLEMENTED',
    `${Object.keys(action)[0] ?? 'empty'} actions are not supported yet`,
  )
}

async function exec(
  runtime: RuntimeService,
  { containerId }: ActionTarget,
  cmd: string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> {
  const timeout = BigInt(Math.max(1, Math.ceil(timeoutMs / 1000)))
  const { exitCode, stdout, stderr } = await runtime.execSync({ containerId, cmd, timeout }, { signal })
  const output = `${stdout}${stderr}`.slice(0, detailMax)
  return { ok: exitCode === 0, detail: output || `exit code ${exitCode}` }
}

function httpGet(action: HTTPGetAction, target: ActionTarget, signal: AbortSignal): Promise<ActionResult> {
  const { scheme = 'HTTP', path = '/', httpHeaders = [] } = action
  const secure = scheme.toUpperCase() === 'HTTPS'
  const headers: Record<string, string> = {
    'user-agent': 'kube-probe/1.36',
    accept: '*/*',
    connection: 'close',
  }
  for (const { name, value } of httpHeaders) headers[name.toLowerCase()] = value
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)({
      host: action.host || target.podIP || '127.0.0.1',
      port: portNumber(action.port, target.container),
      path: path.startsWith('/') ? path : `/${path}`,
      headers,
      signal,
      // A probe asks whether the server answers; who it is, is not its business.
      ...(secure ? { rejectUnauthorized: false } : {}),
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const code = response.statusCode ?? 0
      response.destroy()
      resolve({ ok: code >= 200 && code < 400, detail: `HTTP probe failed with statuscode: ${code}` })
    })
    request.end()
  })
}

function tcpSocket(
  { host, port }: NonNullable<Action['tcpSocket']>,
  target: ActionTarget,
  signal: AbortSignal,
): Promise<ActionResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: host || target.podIP || '127.0.0.1',
      port: portNumber(port, target.container),
      signal,
    })
    socket.on('error', reject)
    socket.on('connect', () => {
      socket.destroy()
      resolve({ ok: true, detail: '' })
    })
  })
}

/** A port by number, or by the name that the container's ports give it. */
function portNumber(port: number | string, container: Container): number {
  if (typeof port === 'number') return port
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  const found = named ?? (/^\d+$/.test(port) ? Number(port) : undefined)
  if (found === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `container ${container.name} has no port named "${port}"`)
  return found
}
