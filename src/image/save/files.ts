/** One file of an archive that is about to be written: bytes that are here, or those of another file. */
export interface ArchiveFile {
  name: string
  content: Buffer | { path: string; sizeBytes: number }
}

export function jsonFile(name: string, value: unknown): ArchiveFile {
  return { name, content: Buffer.from(JSON.stringify(value)) }
}

/** The first of each name: blobs that images share are written once. */
export function uniqueFiles(files: readonly ArchiveFile[]): ArchiveFile[] {
  return [...new Map(files.toReversed().map((file) => [file.name, file])).values()].toReversed()
}
