import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/**
 * The path of a socket in a directory by way of the directory's descriptor: sockaddr_un has room for 107 bytes
 * (unix(7)), and a data directory may lie deeper. Valid until dispose.
 */
export class FolderSocket implements AsyncDisposable {
  readonly path: string
  readonly #directory: FileHandle

  private constructor(directory: FileHandle, name: string) {
    this.#directory = directory
    this.path = `/proc/self/fd/${directory.fd}/${name}`
  }

  static async in(directory: string, name: string): Promise<FolderSocket> {
    return new FolderSocket(await open(directory, constants.O_RDONLY | constants.O_DIRECTORY), name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory.close()
  }
}
