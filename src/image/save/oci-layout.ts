import type { Blob, ContentStore } from '../content-store.ts'
import { splitDigest } from '../digest.ts'
import { blobsOf } from '../documents.ts'
import { type ArchiveFile, jsonFile, uniqueFiles } from './files.ts'
import type { NamedImage } from './named-image.ts'

/**
 * An OCI image layout (image-spec image-layout.md). Each name is a descriptor of index.json with two annotations: the
 * full name where containerd looks for it, and the same where skopeo, podman and umoci do. The `manifest.json` beside
 * them has the same archive read by `docker load`.
 */
export function ociLayoutFiles(content: ContentStore, images: readonly NamedImage[]): ArchiveFile[] {
  return [
    jsonFile('oci-layout', { imageLayoutVersion: '1.0.0' }),
    jsonFile('index.json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: images.flatMap(descriptors),
    }),
    jsonFile('manifest.json', images.map(dockerEntry)),
    ...uniqueFiles(images.flatMap((image) => blobFiles(content, image))),
  ]
}

function descriptors({ manifest, record, tags }: NamedImage) {
  const { mediaType, digest, bytes } = manifest
  const { os, architecture } = record.image.config
  const plain = { mediaType, digest, size: bytes.length, platform: { architecture, os } }
  if (tags.length === 0) return [plain]
  return tags.map((tag) => ({
    ...plain,
    annotations: { 'io.containerd.image.name': tag, 'org.opencontainers.image.ref.name': tag },
  }))
}

function dockerEntry({ manifest, tags }: NamedImage) {
  return {
    Config: blobName(manifest.parsed.config),
    RepoTags: tags,
    Layers: manifest.parsed.layers.map(blobName),
  }
}

function blobFiles(content: ContentStore, { manifest }: NamedImage): ArchiveFile[] {
  const { digest, bytes, parsed } = manifest
  return [
    { name: blobName({ digest }), content: bytes },
    ...blobsOf(parsed).map((blob) => ({
      name: blobName(blob),
      content: { path: content.path(blob.digest), sizeBytes: blob.sizeBytes },
    })),
  ]
}

function blobName({ digest }: Pick<Blob, 'digest'>): string {
  const { algorithm, hex } = splitDigest(digest)
  return `blobs/${algorithm}/${hex}`
}
