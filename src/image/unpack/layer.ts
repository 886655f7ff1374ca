import { writeSync } from 'node:fs'
import { asKeelsonError, KeelsonError, SyscallError } from '../../base/index.ts'
import { type Attributes, Tree, type TreePath } from '../../kernel/index.ts'
import { DigestMeter } from '../digest.ts'
import { Costs } from './costs.ts'
import { decompressed } from './decompress.ts'
import { type Entry, type Header, hiddenPath, readEntry } from './entry.ts'
import { ByteCount, metered, requireShallow, requireSmall, type UnpackLimits } from './limits.ts'
import { type MemberSink, readMembers } from './members.ts'
import { SparseWriter } from './sparse.ts'

export interface Unpacked {
  /** Digest of the uncompressed archive. */
  diffId: string
  entries: number
  /** Directories that were needed and that no entry described; byte strings (latin1). */
  impliedDirectories: string[]
  /** Whether an entry described the root directory itself. */
  describesRoot: boolean
  /** Devices and extended attributes that images may not bring. */
  ignoredDevices: number
  ignoredXattrs: number
}

/**
 * Unpacks one layer archive into an empty directory, in overlay form: whiteouts become character devices 0:0,
 * opaque markers an extended attribute, so a layer needs none of the layers below it. Blocks: for worker threads.
 * INVALID_ARGUMENT names the member that is refused; what was written by then stays for the caller to remove.
 */
export async function unpackLayer(
  source: AsyncIterable<Buffer>,
  directory: string,
  limits: UnpackLimits,
): Promise<Unpacked> {
  const meter = new DigestMeter()
  const compressed = new ByteCount()
  using layer = new LayerWriter(directory, limits)
  await readMembers(metered(decompressed(compressed.of(source)), meter, limits, compressed), layer)
  return { diffId: meter.digest(), ...layer.finish() }
}

class LayerWriter implements Disposable {
  readonly #tree: Tree
  readonly #limits: UnpackLimits
  readonly #costs: Costs
  readonly #times = new Map<string, Time>()
  readonly #implied = new Set<string>()
  #entries = 0
  #ignoredDevices = 0
  #ignoredXattrs = 0

  constructor(directory: string, limits: UnpackLimits) {
    this.#tree = new Tree(directory, (path) => this.#imply(path.toString('latin1')))
    this.#limits = limits
    this.#costs = new Costs(limits)
  }

  begin(header: Header): MemberSink | undefined {
    this.#entries += 1
    this.#costs.entry(header.size)
    const entry = readEntry(header)
    requireShallow(entry.path, this.#limits)
    this.#ignoredXattrs += entry.ignoredXattrs
    try {
      return this.#apply(entry)
    } catch (error) {
      throw atMember(error, entry)
    }
  }

  /** Directory times come last: every entry made inside a directory changed them. */
  finish(): Omit<Unpacked, 'diffId'> {
    for (const [path, { mtimeSeconds, mtimeNanoseconds }] of this.#times)
      ignoreVanished(() => this.#tree.setTimes(bytes(path), mtimeSeconds, mtimeNanoseconds))
    return {
      entries: this.#entries,
      impliedDirectories: [...this.#implied].filter((path) => !this.#times.has(path)),
      describesRoot: this.#times.has(''),
      ignoredDevices: this.#ignoredDevices,
      ignoredXattrs: this.#ignoredXattrs,
    }
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]()
  }

  #imply(path: string): void {
    this.#costs.entry()
    if (!this.#implied.has(path)) this.#costs.path(path.length)
    this.#implied.add(path)
  }

  #describe(path: string, { mtimeSeconds, mtimeNanoseconds }: Time): void {
    if (!this.#times.has(path)) this.#costs.path(path.length)
    this.#times.set(path, { mtimeSeconds, mtimeNanoseconds })
  }

  #apply(entry: Entry): MemberSink | undefined {
    const { path, attributes } = entry
    const tree = this.#tree
    switch (entry.kind) {
      case 'file':
        if (entry.sparse) requireSmall(entry.sparse.realBytes, this.#limits)
        return new FileSink(tree, entry)
      case 'directory':
        tree.makeDirectory(bytes(path), attributes)
        this.#describe(path, attributes)
        return undefined
      case 'symlink':
        tree.symlink(bytes(path), bytes(entry.target), attributes)
        return undefined
      case 'link':
        tree.link(bytes(path), bytes(entry.target))
        return undefined
      case 'node':
        tree.makeNode(bytes(path), entry.node, attributes)
        return undefined
      case 'whiteout':
        tree.whiteout(bytes(hiddenPath(entry)))
        return undefined
      case 'opaque':
        tree.opaque(bytes(hiddenPath(entry)))
        return undefined
      case 'ignored':
        this.#ignoredDevices += 1
        return undefined
    }
  }
}

type Time = Pick<Attributes, 'mtimeSeconds' | 'mtimeNanoseconds'>
type FileEntry = Extract<Entry, { kind: 'file' }>

/** The content of one file, written as it comes; its attributes follow the last byte. */
class FileSink implements MemberSink {
  readonly #file: ReturnType<Tree['createFile']>
  readonly #entry: FileEntry
  readonly #sparse: SparseWriter | undefined

  constructor(tree: Tree, entry: FileEntry) {
    this.#entry = entry
    this.#file = tree.createFile(bytes(entry.path))
    this.#sparse = entry.sparse && new SparseWriter(this.#file.fd, entry.sparse)
  }

  write(chunk: Buffer): void {
    try {
      if (this.#sparse) this.#sparse.write(chunk)
      else for (let at = 0; at < chunk.length; ) at += writeSync(this.#file.fd, chunk, at)
    } catch (error) {
      throw atMember(error, this.#entry)
    }
  }

  end(): void {
    try {
      this.#sparse?.end()
      this.#file.finish(this.#entry.attributes)
    } catch (error) {
      throw atMember(error, this.#entry)
    }
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]()
  }
}

function bytes(path: string): TreePath {
  return Buffer.from(path, 'latin1')
}

/** A later entry may have replaced the directory. */
function ignoreVanished(action: () => void): void {
  try {
    action()
  } catch (error) {
    const errno = error instanceof SyscallError ? error.errno : ''
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errno)) throw error
  }
}

const archiveFaults = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EPERM',
  'EXDEV',
  'EINVAL',
  'ENAMETOOLONG',
  'EMLINK',
])

/** Errnos that an archive can provoke are the archive's fault; a full or broken disk is not. */
function atMember(error: unknown, entry: Entry): KeelsonError {
  const known = asKeelsonError(error)
  if (!(known instanceof SyscallError) || !archiveFaults.has(known.errno)) return known
  const name = JSON.stringify(Buffer.from(entry.path, 'latin1').toString('utf8').slice(0, 200))
  return new KeelsonError('INVALID_ARGUMENT', `the archive member ${name} is refused: ${known.message}`, {
    cause: error,
  })
}
