import type { Credentials, Image, PullOptions } from './image-store.ts'
import { blobsOf, type InstallContext, install } from './install.ts'
import type { Leases } from './leases.ts'
import { broken, type Manifest, parseManifest } from './manifest.ts'
import { type Platform, selectPlatform } from './platform.ts'
import { formatReference, parseReference, repositoryName } from './reference.ts'
import type { RegistryClient } from './registry/client.ts'
import type { Repository } from './registry/repository.ts'

interface PullContext extends InstallContext {
  registry: RegistryClient
  credentials: Credentials
  leases: Leases
  platform: Platform
}

/** Resolves the name to one manifest for our platform and installs what it says. */
export async function pullImage(
  context: PullContext,
  name: string,
  options: PullOptions,
  signal: AbortSignal,
): Promise<Image> {
  const reference = parseReference(name)
  const auth = options.auth ?? (await context.credentials(reference.host, reference.repository))
  const repository = await context.registry.open(reference, auth)
  const platform = options.platform ?? context.platform
  const { manifest, documents } = await resolve(repository, platform, signal)
  const top = documents[0]?.digest ?? broken('it has no manifest')
  const installation = {
    manifest,
    documents,
    source: repository,
    platform,
    // Whoever asks by digest did not ask for a tag.
    tags: reference.digest === undefined ? [formatReference(reference)] : [],
    digests: [`${repositoryName(reference)}@${top}`],
    ...(options.onProgress && { onProgress: options.onProgress }),
  }
  await context.leases.take(top, blobsOf(installation))
  try {
    const image = await install(context, installation, signal)
    await context.leases.end(top)
    return image
  } catch (error) {
    await context.leases.fail(top, error)
    throw error
  }
}

interface Resolved {
  manifest: Manifest
  documents: { digest: string; bytes: Buffer }[]
}

/** An index may hold indexes, but not for ever. */
async function resolve(repository: Repository, platform: Platform, signal: AbortSignal): Promise<Resolved> {
  const documents: Resolved['documents'] = []
  let digest: string | undefined
  for (let depth = 0; depth < 3; depth++) {
    const fetched = await repository.manifest(digest, signal)
    documents.push({ digest: fetched.digest, bytes: fetched.bytes })
    const parsed = parseManifest(fetched.bytes, fetched.contentType)
    if (parsed.kind === 'manifest') return { manifest: parsed, documents }
    digest = selectPlatform(parsed.manifests, platform).digest
  }
  return broken('its index leads to an index of indexes')
}
