import { KeelsonError } from '../base/index.ts'
import type { ContentStore } from './content-store.ts'
import { imageDocuments, type StoredDocument } from './documents.ts'
import type { Manifest } from './manifest.ts'
import type { ImageRecord } from './records.ts'

/** The manifest that an image was installed by last. DATA_LOSS when no blob of it is one. */
export async function readStoredManifest(
  content: ContentStore,
  record: ImageRecord,
): Promise<StoredDocument<Manifest>> {
  const { manifests } = await imageDocuments(content, record)
  const found = manifests.find(({ digest }) => digest === record.manifest) ?? manifests[0]
  if (found) return found
  throw new KeelsonError('DATA_LOSS', `the manifest of image ${record.image.id} is missing from the store`, {
    id: record.image.id,
    hint: 'pull the image again',
  })
}
