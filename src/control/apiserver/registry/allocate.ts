import type { KubernetesObject } from '../../../api/index.ts'
import { isClaimed } from './commit.ts'
import type { Kind, Registry } from './registry.ts'

/** Lets the kind's strategy choose what the writer left open, knowing what is taken now. */
export async function allocate(
  registry: Registry,
  kind: Kind,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): Promise<void> {
  await kind.strategy.allocate?.(object, before, {
    isTaken: (id) => isClaimed(registry, id),
    random: registry.random,
  })
}
