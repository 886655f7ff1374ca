import { writeFile } from 'node:fs/promises'
import { KeelsonError } from '../../src/base/index.ts'
import type { Image, PrepareOptions, Snapshot, UnpackedArchive } from '../../src/image/index.ts'
import type { PodImages } from '../../src/pod/context.ts'

export const fakeImage: Image = {
  id: `sha256:${'ab'.repeat(32)}`,
  repoTags: ['docker.io/library/nginx:1.7.9'],
  repoDigests: [`docker.io/library/nginx@sha256:${'cd'.repeat(32)}`],
  sizeBytes: 1234,
  config: {
    architecture: 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/entry'], Cmd: ['serve'], Env: ['A=1'], StopSignal: 'SIGQUIT', User: 'web' },
  },
  layers: [],
  pinned: false,
}

/** An image store of one image, in memory. */
export class FakeImages implements PodImages {
  readonly stored = new Map<string, Image>([[fakeImage.id, fakeImage]])
  readonly prepared = new Map<string, Snapshot>()
  /** Bytes that each may take. */
  readonly limits = new Map<string, number>()
  readonly files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/false\n',
    '/etc/group': 'root:x:0:\nlogs:x:90:web,other\n',
  }

  find(name: string): Image | undefined {
    return [...this.stored.values()].find(
      (image) => image.id === name || image.repoTags.some((tag) => tag.endsWith(`/${name}`)),
    )
  }

  get(name: string): Image {
    const found = this.find(name)
    if (found) return found
    throw new KeelsonError('NOT_FOUND', `no image ${name}`)
  }

  list(): Image[] {
    return [...this.stored.values()]
  }

  async pull(): Promise<Image> {
    this.stored.set(fakeImage.id, fakeImage)
    return fakeImage
  }

  async remove(name: string): Promise<void> {
    const found = this.find(name)
    if (found) this.stored.delete(found.id)
  }

  async filesystem() {
    return { mountpoint: '/tmp', usedBytes: 10, inodesUsed: 2 }
  }

  readonly snapshots = {
    prepare: async (
      key: string,
      imageId: string,
      { bytesMax = 0 }: PrepareOptions = {},
    ): Promise<Snapshot> => {
      this.limits.set(key, bytesMax)
      const made = { key, imageId, lower: ['/l'], upper: '/u', work: '/w' }
      this.prepared.set(key, made)
      return made
    },
    find: (key: string) => this.prepared.get(key),
    remove: async (key: string) => {
      this.prepared.delete(key)
    },
    list: () => [...this.prepared.values()],
    keys: (prefix: string) => [...this.prepared.keys()].filter((key) => key.startsWith(prefix)),
    usage: async () => ({ bytes: 1, inodes: 1 }),
    hasLimits: true,
    saveChanges: async (_key: string, path: string) => {
      await writeFile(path, 'changes')
    },
    applyChanges: async () => {},
    keep: async (key: string, { directory }: UnpackedArchive) => {
      this.keptArchives.set(key, directory)
      return directory
    },
    kept: (key: string) => this.keptArchives.get(key),
    drop: async (key: string) => {
      this.keptArchives.delete(key)
    },
  }
  readonly keptArchives = new Map<string, string>()

  /** What is unpacked: a directory that the test made. */
  unpacked: string | undefined
  annotations: Readonly<Record<string, string>> = {}
  readonly archives = {
    annotations: async () => this.annotations,
    unpack: async () => this.#unpacked(),
    unpackImage: async () => this.#unpacked(),
  }

  #unpacked(): UnpackedArchive {
    const directory = this.unpacked
    if (directory === undefined) throw new KeelsonError('INVALID_ARGUMENT', 'it is no archive')
    return { directory, async [Symbol.asyncDispose]() {} }
  }

  async has(_imageId: string, path: string): Promise<boolean> {
    return `/${path}` in this.files
  }

  async readFile(_imageId: string, path: string): Promise<Uint8Array | undefined> {
    const text = this.files[path]
    return text === undefined ? undefined : Buffer.from(text)
  }
}
