import type { StoredDocument } from '../documents.ts'
import type { Manifest } from '../manifest.ts'
import type { ImageRecord } from '../records.ts'

/** An image with the names that it is to have in the archive. */
export interface NamedImage {
  record: ImageRecord
  tags: readonly string[]
  manifest: StoredDocument<Manifest>
}
