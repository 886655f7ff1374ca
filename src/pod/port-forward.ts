import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type PortForwardRequest, PortForwardResponse } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import { connectLoopback } from '../kernel/index.ts'
import type { PodContext } from './context.ts'
import type { SandboxRecord } from './records.ts'
import { podNamespaces } from './spec/namespaces.ts'
import { streamingOf } from './streams.ts'

/** A URL at which one client may open connections to ports on the pod's own loopback. */
export async function portForward(
  context: PodContext,
  { podSandboxId, port }: PortForwardRequest,
): Promise<PortForwardResponse> {
  const { id } = readySandbox(context, podSandboxId)
  const url = streamingOf(context).portForward(port, (one) => dial(context, id, one))
  return PortForwardResponse.fromPartial({ url })
}

async function dial(context: PodContext, sandboxId: string, port: number): Promise<Duplex> {
  const { id, config } = readySandbox(context, sandboxId)
  if (podNamespaces(config).network === 'host') return hostLoopback(port)
  using namespace = await context.pins.open(id, 'network')
  const { fd } = await connectLoopback(namespace.fd, port)
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true })
}

/** IPv4, else IPv6, as `connectLoopback` does it. */
async function hostLoopback(port: number): Promise<Duplex> {
  const connect = (host: string) => connected(new Socket({ allowHalfOpen: true }).connect(port, host))
  return connect('127.0.0.1').catch((error: unknown) =>
    connect('::1').catch(() => {
      throw error
    }),
  )
}

function connected(socket: Socket): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

function readySandbox({ store }: PodContext, idOrPrefix: string): SandboxRecord {
  const sandbox = store.sandbox(idOrPrefix)
  if (sandbox.stoppedAtNs === undefined) return sandbox
  throw new KeelsonError('FAILED_PRECONDITION', `pod sandbox ${sandbox.id} is not ready`, { id: sandbox.id })
}
