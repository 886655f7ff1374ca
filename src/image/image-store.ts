import type { Platform } from './platform.ts'
import type { Mirrors } from './registry/mirrors.ts'

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
  /** Uploads an image under a name; what the registry has already is not sent again. Digests stay what they are. */
  push(nameOrId: string, options?: PushOptions): Promise<Pushed>
  /** What was attached to an image in its registry (signatures, lists of parts): the answer of the referrers API. */
  referrers(reference: string, options?: ReferrersOptions): Promise<Referrer[]>
  /** Compares every blob and layer with what it should be; with `repair`, what is damaged is removed. */
  fsck(options?: { repair?: boolean; signal?: AbortSignal }): Promise<StoreCheck>
  /** Removes the image with all its names; layers that nothing needs go too. Absent: no error. */
  remove(nameOrId: string): Promise<void>
  /** Loads every image of an OCI layout (directory or tar) or a docker-archive tar. */
  load(path: string, options?: LoadOptions): Promise<Image[]>
  filesystem(): Promise<FilesystemUsage>
  readonly snapshots: SnapshotStore
  readonly archives: ArchiveStore
  /** Whether the image's merged tree has anything at this path. */
  has(imageId: string, path: string): Promise<boolean>
  /** A regular file of the image's merged tree, at most `maxBytes` (default 1 MiB); undefined when absent. Never leaves the tree. */
  readFile(imageId: string, path: string, options?: { maxBytes?: number }): Promise<Uint8Array | undefined>
}

/** What a person or a node's housekeeping does with the images, beside what running containers takes. */
export interface ManagedImageStore extends ImageStore {
  /** Gives the image one more tag, which leaves the image that had it. */
  tag(nameOrId: string, tag: string): Promise<Image>
  /** Takes one name away; the image goes with its last tag. NOT_FOUND when no image has it. */
  untag(name: string): Promise<Image>
  /** Writes images as one archive or layout that other tools read, manifests and layers byte for byte as they came. */
  save(names: readonly string[], options: SaveOptions): Promise<void>
  /** How the image was made, newest step first. */
  history(nameOrId: string): Promise<HistoryStep[]>
  /** What the store knows about an image beside what it is. */
  describe(nameOrId: string): ImageDescription
  /** Removes images that no container uses: those without a tag, with `all` the others too. Pinned ones stay. */
  prune(options?: PruneOptions): Promise<Freed>
  /** Removes images, the longest unused first, once the disk is fuller than allowed. */
  collectGarbage(policy: GarbagePolicy): Promise<Collected>
}

export interface PullOptions {
  /** For this registry; without them the store's own credentials are asked. */
  auth?: RegistryAuth
  /** Which image of an index to take, instead of the store's own platform. */
  platform?: Platform
  onProgress?: (event: PullProgress) => void
  signal?: AbortSignal
  /** Instead of the table that the store was opened with. */
  mirrors?: Mirrors
}

export interface LoadOptions {
  /** For an archive that holds one image. */
  reference?: string
  platform?: Platform
  signal?: AbortSignal
}

export type ArchiveFormat = 'oci-archive' | 'oci-dir' | 'docker-archive'

export interface SaveOptions {
  /** The file, or for `oci-dir` the directory, which must be empty or absent. */
  path: string
  /**
   * `oci-archive` is a tar of an OCI layout that `docker load` reads as well, `oci-dir` the layout as a directory,
   * `docker-archive` what `docker save` wrote for years: layers uncompressed, no manifest.
   */
  format: ArchiveFormat
  signal?: AbortSignal
}

export interface HistoryStep {
  created?: string
  createdBy: string
  comment?: string
  /** Of the layer that this step made, as it was transferred; 0 for a step that made none. */
  sizeBytes: number
  layerDigest?: string
}

export interface ImageDescription {
  image: Image
  /** The manifest for its platform. */
  manifestDigest: string | undefined
  /** Milliseconds since the Unix epoch; undefined in records of before these were kept. */
  addedMs: number | undefined
  usedMs: number | undefined
  /** Keys of the snapshots made from it. */
  usedBy: string[]
  /** Layers on disk, those shared with other images included. */
  unpackedBytes: number
}

export interface PruneOptions {
  all?: boolean
  /** Younger images stay. */
  minAgeMs?: number
}

export interface Freed {
  images: Image[]
  bytes: number
}

export interface Collected extends Freed {
  /** What still had to go: no image is left that may. */
  missingBytes: number
}

/** As the kubelet's `imageGCHighThresholdPercent`, `imageGCLowThresholdPercent` and `imageMinimumGCAge`. */
export interface GarbagePolicy {
  /** Nothing is removed while less of the file system is used. */
  highPercent: number
  /** Where removing stops. */
  lowPercent: number
  minAgeMs: number
}

export interface RegistryAuth {
  username?: string
  password?: string
  /** A registry token to send as it is. */
  registryToken?: string
  identityToken?: string
}

/** Finds the credentials for a registry host, where the caller of pull or push has none. */
export type Credentials = (host: string, repository: string) => Promise<RegistryAuth | undefined>

export interface PullProgress {
  digest: string
  status: 'waiting' | 'downloading' | 'unpacking' | 'done' | 'exists'
  currentBytes: number
  totalBytes: number
}

export interface PushOptions {
  /** The name to push to; without it the name that the image was called by, which must then be a tag. */
  to?: string
  auth?: RegistryAuth
  /** Instead of the table that the store was opened with. */
  mirrors?: Mirrors
  onProgress?: (event: PushProgress) => void
  signal?: AbortSignal
}

export interface PushProgress {
  /** Of a layer or the config. */
  digest: string
  /** `exists`: the registry has it; `mounted`: it took it over from another of its repositories. */
  status: 'waiting' | 'uploading' | 'exists' | 'mounted' | 'done'
  currentBytes: number
  totalBytes: number
}

export interface Pushed {
  /** `localhost:5000/app:1`. */
  reference: string
  /** Of the manifest, or of the index where all its images are here. */
  digest: string
}

export interface ReferrersOptions {
  /** Only of this kind: `application/vnd.example.signature`. */
  artifactType?: string
  auth?: RegistryAuth
  signal?: AbortSignal
}

/** A manifest that names another one as its subject (distribution spec, "Listing Referrers"). */
export interface Referrer {
  digest: string
  mediaType: string
  sizeBytes: number
  artifactType?: string
  annotations?: Record<string, string>
}

/** What a check of the store found. Without a problem, `blobs` and `layers` are empty. */
export interface StoreCheck {
  checkedBlobs: number
  checkedBytes: number
  checkedLayers: number
  blobs: { digest: string; problem: 'missing' | 'damaged' }[]
  /** Unpacked layers whose directory is gone or has another content than when it was made. */
  layers: { key: string; problem: 'missing' | 'changed' }[]
  /** Images that need one of these. `runs`: their layers are whole, they can only not be pushed or saved. */
  images: { id: string; repoTags: string[]; runs: boolean }[]
  /** Whether what is damaged was removed: images that no longer run with it, others get their blobs at the next pull. */
  repaired: boolean
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
  variant?: string
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

/** Archives of files that are no images (a checkpoint's), in whatever form they come. */
export interface ArchiveStore {
  /** Of the manifest that the image was installed by. */
  annotations(imageId: string): Promise<Readonly<Record<string, string>>>
  /** Into a directory of the store, under the rules for image archives; only files, directories and links. */
  unpack(path: string, options?: { signal?: AbortSignal }): Promise<UnpackedArchive>
  /** The same of an image whose layers are such an archive: an image that only carries files. */
  unpackImage(imageId: string, options?: { signal?: AbortSignal }): Promise<UnpackedArchive>
}

/** A directory that goes with this object, unless a snapshot took it over. */
export interface UnpackedArchive extends AsyncDisposable {
  readonly directory: string
}

/** Writable layers over an image, one per container. */
export interface SnapshotStore {
  /** Makes (or finds again) the snapshot with this key. Directories only: nothing is mounted. */
  prepare(key: string, imageId: string, options?: PrepareOptions): Promise<Snapshot>
  find(key: string): Snapshot | undefined
  remove(key: string): Promise<void>
  list(): Snapshot[]
  /** Those that begin with these characters. */
  keys(prefix: string): string[]
  /**
   * What the container wrote, as an uncompressed layer archive in a new file (0600). Nobody may write to the layer
   * meanwhile.
   */
  saveChanges(key: string, path: string, options?: { signal?: AbortSignal }): Promise<void>
  /** Unpacks such an archive into the writable layer of a snapshot that nobody has used yet. */
  applyChanges(key: string, path: string, options?: { signal?: AbortSignal }): Promise<void>
  /** Moves an unpacked archive beside the writable layer, where it goes with the snapshot; returns its place. */
  keep(key: string, archive: UnpackedArchive): Promise<string>
  /** Where `keep` put it; undefined when there is none (any more). */
  kept(key: string): string | undefined
  /** What was kept is needed no more. */
  drop(key: string): Promise<void>
  /** What the container wrote, and the few directories of the overlay itself. */
  usage(key: string): Promise<{ bytes: number; inodes: number }>
  /** Whether the disk can hold a writable layer to a size. */
  readonly hasLimits: boolean
}

export interface PrepareOptions {
  /** Most that a new layer may take on disk; 0 or absent: as much as there is. FAILED_PRECONDITION without quotas. */
  bytesMax?: number
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
