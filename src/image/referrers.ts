import type { Credentials, Referrer, ReferrersOptions } from './image-store.ts'
import { parseReference } from './reference.ts'
import type { RegistryClient } from './registry/client.ts'

/** What is attached to an image in its registry; a tag is looked up first. */
export async function listReferrers(
  { registry, credentials }: { registry: RegistryClient; credentials: Credentials },
  name: string,
  { artifactType, auth }: ReferrersOptions,
  signal: AbortSignal,
): Promise<Referrer[]> {
  const reference = parseReference(name)
  const known = auth ?? (await credentials(reference.host, reference.repository))
  const repository = await registry.open(reference, known)
  const digest = reference.digest ?? (await repository.manifest(undefined, signal)).digest
  return await repository.referrers(digest, artifactType, signal)
}
