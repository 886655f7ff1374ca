/**
 * Images and the root filesystems made from them. An image is named by the digest of its config; tags and repo
 * digests point at it. Names are normalised as Docker does (`nginx` → `docker.io/library/nginx:latest`).
 */
export interface ImageStore extends AsyncDisposable {
  /** Downloads, verifies, unpacks and records. Two pulls of one image share the work. */
  pull(reference: string, options?: PullOptions): Promise<Image>
  /** By id, id prefix, tag, digest or short name. */
  find(nameOrId: string): Image | undefined
  /** NOT_FOUND when absent. */
  get(nameOrId: string): Image
  list(): Image[]
  /** Removes the image with all its names; layers that nothing needs go too. Absent: no error. */
  remove(nameOrId: string): Promise<void>
  /** Loads every image of an OCI layout (directory or tar) or a docker-archive tar. */
  load(path: string, options?: { reference?: string; signal?: AbortSignal }): Promise<Image[]>
  filesystem(): Promise<FilesystemUsage>
  readonly snapshots: SnapshotStore
  /** A regular file of the image's merged tree, at most `maxBytes` (default 1 MiB); undefined when absent. Never leaves the tree. */
  readFile(imageId: string, path: string, options?: { maxBytes?: number }): Promise<Uint8Array | undefined>
}

export interface PullOptions {
  auth?: RegistryAuth
  onProgress?: (event: PullProgress) => void
  signal?: AbortSignal
}

export interface RegistryAuth {
  username?: string
  password?: string
  /** A registry token to send as it is. */
  registryToken?: string
  identityToken?: string
}

export interface PullProgress {
  digest: string
  status: 'waiting' | 'downloading' | 'unpacking' | 'done' | 'exists'
  currentBytes: number
  totalBytes: number
}

export interface Image {
  /** `sha256:…` of the config. */
  id: string
  /** Fully qualified tags: `docker.io/library/nginx:1.7.9`. */
  repoTags: string[]
  /** `docker.io/library/nginx@sha256:…` (the index digest where there was one). */
  repoDigests: string[]
  /** Compressed layers and config. */
  sizeBytes: number
  config: ImageConfig
  /** Layer diff ids, bottom first. */
  layers: string[]
  pinned: boolean
}

/** The parts of the OCI image config that decide how a container is run (image-spec config.md). */
export interface ImageConfig {
  architecture: string
  os: string
  created?: string
  config: {
    User?: string
    Env?: string[]
    Entrypoint?: string[]
    Cmd?: string[]
    WorkingDir?: string
    Volumes?: Record<string, unknown>
    ExposedPorts?: Record<string, unknown>
    Labels?: Record<string, string>
    StopSignal?: string
  }
}

/** Writable layers over an image, one per container. */
export interface SnapshotStore {
  /** Makes (or finds again) the snapshot with this key. Directories only: nothing is mounted. */
  prepare(key: string, imageId: string): Promise<Snapshot>
  find(key: string): Snapshot | undefined
  remove(key: string): Promise<void>
  list(): Snapshot[]
  /** What the container wrote. */
  usage(key: string): Promise<{ bytes: number; inodes: number }>
}

export interface Snapshot {
  key: string
  imageId: string
  /** Layer directories, topmost first. */
  lower: string[]
  upper: string
  work: string
}

export interface FilesystemUsage {
  mountpoint: string
  usedBytes: number
  inodesUsed: number
}
