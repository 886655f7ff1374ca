import { type StopPodSandboxRequest, StopPodSandboxResponse } from '../../cri/types.ts'
import { nowNs, type PodContext } from './context.ts'
import { endHolder } from './holders.ts'
import type { SandboxRecord } from './records.ts'
import { needsHolder, podNamespaces } from './spec/namespaces.ts'
import { together } from './together.ts'

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
  const cleaned = await endContainers(context, id)
  // Their groups and files, and the pod's network and namespaces, which nothing runs in any more, side by side.
  await together(...cleaned, letNetworkGo(context, id))
  if (needsHolder(podNamespaces(config))) await endHolder(context, id)
  const record = context.store.findSandbox(id)
  if (record && record.stoppedAtNs === undefined) await context.store.stopSandbox(id, nowNs(context.clock))
  // Once more: until then a start was not refused.
  await together(...(await endContainers(context, id)))
}

/** Resolves when the end of each is on record, with what resolves when nothing of them is left. */
async function endContainers(
  { store, joined, lives }: PodContext,
  sandboxId: string,
): Promise<Promise<unknown>[]> {
  const ended = store.containersOf(sandboxId).map(async (one) => {
    await joined.starts.settled(one.id)
    return lives.end(one)
  })
  return (await together(...ended)).map(({ cleaned }) => cleaned)
}

async function letNetworkGo({ network, pins }: PodContext, id: string): Promise<void> {
  await network.tearDown(id)
  await pins.remove(id)
}
