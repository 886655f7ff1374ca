import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type Pack, pack } from 'tar-stream'
import { KeelsonError } from '../../base/index.ts'
import type { ArchiveFile } from './files.ts'

/** A new file (0600) with the files as one tar. */
export async function writeArchive(
  path: string,
  files: readonly ArchiveFile[],
  signal?: AbortSignal,
): Promise<void> {
  await using target = await open(path, 'wx', 0o600)
  await writeTar(target, files, signal)
}

/** Writes the files as one tar: the same files make the same bytes, whenever that is. */
export async function writeTar(
  target: FileHandle,
  files: readonly ArchiveFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const archive = pack()
  const filling = fill(archive, files).catch((error) => archive.destroy(error))
  try {
    for await (const chunk of archive as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      for (let at = 0; at < chunk.length; ) at += (await target.write(chunk, at)).bytesWritten
    }
  } finally {
    archive.destroy()
    await filling // it lets go of the file that it was reading
  }
}

async function fill(archive: Pack, files: readonly ArchiveFile[]): Promise<void> {
  for (const { name, content } of files) await add(archive, name, content)
  archive.finalize()
}

function add(archive: Pack, name: string, content: ArchiveFile['content']): Promise<void> {
  const header = { name, mode: 0o644, mtime: new Date(0) }
  return new Promise((resolve, reject) => {
    if (Buffer.isBuffer(content)) {
      const done = (error?: unknown) => (error ? reject(error) : resolve())
      archive.entry(header, content, done).on('error', done)
      return
    }
    const source = createReadStream(content.path, { highWaterMark: 256 * 1024 })
    const done = (error?: unknown) => {
      source.destroy()
      if (error) reject(error)
      else resolve()
    }
    const entry = archive.entry({ ...header, size: content.sizeBytes }, done)
    entry.on('error', done) // what nobody listens for would end the process
    source.on('error', (error) => entry.destroy(error))
    source.on('end', () => {
      if (source.bytesRead !== content.sizeBytes) entry.destroy(otherLength(name, content))
    })
    source.pipe(entry)
  })
}

function otherLength(name: string, { path, sizeBytes }: { path: string; sizeBytes: number }): KeelsonError {
  return new KeelsonError('DATA_LOSS', `${name} in the image store does not have its ${sizeBytes} bytes`, {
    path,
    hint: 'look with keelson image fsck --repair, then pull the image again',
  })
}
