import { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { type Pack, pack } from 'tar-stream'
import type { ArchiveFile } from './files.ts'

/** Writes the files as one tar: the same files make the same bytes, whenever that is. */
export async function writeTar(
  target: FileHandle,
  files: readonly ArchiveFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const archive = pack()
  fill(archive, files).catch((error) => archive.destroy(error))
  for await (const chunk of archive as AsyncIterable<Buffer>) {
    signal?.throwIfAborted()
    for (let at = 0; at < chunk.length; ) at += (await target.write(chunk, at)).bytesWritten
  }
}

async function fill(archive: Pack, files: readonly ArchiveFile[]): Promise<void> {
  for (const { name, content } of files) await add(archive, name, content)
  archive.finalize()
}

function add(archive: Pack, name: string, content: ArchiveFile['content']): Promise<void> {
  const header = { name, mode: 0o644, mtime: new Date(0) }
  return new Promise((resolve, reject) => {
    const done = (error?: unknown) => (error ? reject(error) : resolve())
    if (Buffer.isBuffer(content)) archive.entry(header, content, done)
    else {
      const entry = archive.entry({ ...header, size: content.sizeBytes }, done)
      const source = createReadStream(content.path, { highWaterMark: 256 * 1024 })
      source.on('error', (error) => entry.destroy(error)).pipe(entry)
    }
  })
}
