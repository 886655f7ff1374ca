import { type StopPodSandboxRequest, StopPodSandboxResponse } from '../../cri/types.ts'
import { nowNs, type PodContext } from './context.ts'
import { endHolder } from './holders.ts'
import type { SandboxRecord } from './records.ts'
import { needsHolder, podNamespaces } from './spec/namespaces.ts'

/** Kills what still runs, takes the network down, lets the namespaces go. What is unknown or stopped is a success. */
export async function stopPodSandbox(
  context: PodContext,
  { podSandboxId }: StopPodSandboxRequest,
): Promise<StopPodSandboxResponse> {
  const found = context.store.findSandbox(podSandboxId)
  if (found) await context.joined.removals.run(`stop ${found.id}`, () => stop(context, found))
  return StopPodSandboxResponse.create()
}

async function stop(context: PodContext, { id, config }: SandboxRecord): Promise<void> {
  await stopContainers(context, id)
  await context.network.tearDown(id)
  await context.pins.remove(id)
  if (needsHolder(podNamespaces(config))) await endHolder(context, id)
  const record = context.store.findSandbox(id)
  if (record && record.stoppedAtNs === undefined) await context.store.stopSandbox(id, nowNs(context.clock))
  // Once more: until then a start was not refused.
  await stopContainers(context, id)
}

async function stopContainers({ store, joined, lives }: PodContext, sandboxId: string): Promise<void> {
  await Promise.all(
    store.containersOf(sandboxId).map(async (one) => {
      await joined.starts.settled(one.id)
      await lives.stop(one, 0)
    }),
  )
}
