import { createReadStream } from 'node:fs'
import { hasErrno, KeelsonError } from '../../base/index.ts'
import { Tree } from '../../kernel/index.ts'

/** Files of an unpacked image archive or an OCI layout, read without ever leaving it. */
export class Folder implements Disposable {
  readonly #tree: Tree

  constructor(path: string) {
    this.#tree = new Tree(path)
  }

  has(path: string): boolean {
    try {
      this.#tree.openFile(path)[Symbol.dispose]()
      return true
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return false
      throw error
    }
  }

  async *read(path: string, start = 0): AsyncIterable<Buffer> {
    using file = this.#open(path)
    const stream = createReadStream('', {
      fd: file.fd,
      autoClose: false,
      start,
      highWaterMark: 256 * 1024,
    })
    for await (const chunk of stream) yield chunk as Buffer
  }

  /** A small file whole. INVALID_ARGUMENT above the limit. */
  async whole(path: string, maxBytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let size = 0
    for await (const part of this.read(path)) {
      parts.push(part)
      size += part.length
      if (size > maxBytes) throw new KeelsonError('INVALID_ARGUMENT', `${path} in the archive is too large`)
    }
    return Buffer.concat(parts)
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]()
  }

  #open(path: string): ReturnType<Tree['openFile']> {
    try {
      return this.#tree.openFile(path)
    } catch (error) {
      throw new KeelsonError('INVALID_ARGUMENT', `the archive lacks ${path}`, { cause: error })
    }
  }
}
