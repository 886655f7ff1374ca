import { type RemoveContainerRequest, RemoveContainerResponse } from '../../cri/types.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord } from './records.ts'

/** Kills it if it runs and forgets it with all it wrote, except its log. What is unknown is a success. */
export async function removeContainer(
  context: PodContext,
  { containerId }: RemoveContainerRequest,
): Promise<RemoveContainerResponse> {
  const found = context.store.findContainer(containerId)
  if (found)
    await context.joined.removals.run(`remove ${found.id}`, () =>
      context.turns.take(found.id, () => remove(context, found)),
    )
  return RemoveContainerResponse.create()
}

/** In its turn: starts asked for before have ended, and one asked for since waits and will find nothing. */
async function remove(context: PodContext, record: ContainerRecord): Promise<void> {
  const { runtime, images, store, lives } = context
  await lives.stop(record, 0)
  const container = await runtime.find(record.id)
  await container?.delete({ force: true })
  await images.snapshots.remove(record.id)
  const last = store.findContainer(record.id)
  if (last) await store.removeContainer(last)
}
