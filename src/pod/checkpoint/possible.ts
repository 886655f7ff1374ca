import { KeelsonError } from '../../base/index.ts'
import { findCriu } from '../../oci/index.ts'
import type { PodContext } from '../context.ts'
import type { ContainerRecord } from '../records.ts'
import { podNamespaces } from '../spec/namespaces.ts'

/** UNIMPLEMENTED on a host without criu. */
export function findProgram({ programPath }: Pick<PodContext, 'programPath'>): string {
  return findCriu('criu', programPath)
}

/** What criu cannot make again beside a monitor of ours is refused before anything is stopped. */
export function requireCheckpointable(
  { store }: PodContext,
  { id, config, sandboxId }: ContainerRecord,
): void {
  const { idMaps } = podNamespaces(store.sandbox(sandboxId).config)
  const what = config.tty ? 'a terminal' : idMaps ? 'a user namespace' : undefined
  if (what !== undefined)
    throw new KeelsonError('UNIMPLEMENTED', `a container with ${what} cannot be checkpointed`, { id })
}
