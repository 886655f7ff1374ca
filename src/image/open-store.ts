import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asKeelsonError,
  bootId,
  Cleanup,
  type Clock,
  hasErrno,
  KeelsonError,
  type Logger,
} from '../base/index.ts'
import { FileLock } from '../kernel/index.ts'
import { ContentStore } from './content-store.ts'
import { dropUntrusted, Settler } from './durability.ts'
import { openImageLedger } from './image-ledger.ts'
import type { Credentials, ManagedImageStore } from './image-store.ts'
import { defaultProjectIds, LayerQuota, type ProjectIds } from './layer-quota.ts'
import { LayerStore } from './layer-store.ts'
import { Leases } from './leases.ts'
import { ownPlatform, type Platform } from './platform.ts'
import { Records } from './records.ts'
import { RegistryClient } from './registry/client.ts'
import type { RegistryTimeouts } from './registry/connection.ts'
import type { Mirrors } from './registry/mirrors.ts'
import { FileImageStore } from './store.ts'
import type { UnpackLimits } from './unpack/limits.ts'

export interface ImageStoreOptions {
  /** The store lives in `image/` below it, all on one file system that can carry an overlay's upper directory. */
  dataDirectory: string
  /** A table, or who is asked for it at each pull and push. */
  mirrors?: Mirrors | (() => Promise<Mirrors>)
  /** Asked where a pull or push brings none of its own. */
  credentials?: Credentials
  /** How long a registry may take; the defaults are for the slow ones. */
  registryTimeouts?: RegistryTimeouts
  /** Layers downloaded and unpacked at a time, of all pulls together; default 4. */
  parallelLayers?: number
  /** What one layer, or one archive that is loaded, may cost; the free disk bounds it too. */
  unpackLimits?: UnpackLimits
  /** Given to writable layers where the disk has project quotas; default: a million from 1,200,000,000 on. */
  projectIds?: ProjectIds
  log: Logger
  clock: Clock
  /** Opens what records are kept in; for tests that fail in it. */
  openLedger?: typeof openImageLedger
  /** Which image of an index to take; default: linux on this processor. */
  platform?: Platform
  /** New layers are on disk when the store is closed: for a process that ends then. */
  flushOnClose?: boolean
}

/**
 * Opens the image store of a data directory. It has one owner at a time: FAILED_PRECONDITION while another process
 * has it open. What a crash left unfinished is removed.
 */
export async function openImageStore(options: ImageStoreOptions): Promise<ManagedImageStore> {
  const directory = join(options.dataDirectory, 'image')
  await using undo = new Cleanup()
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error) => {
    throw asKeelsonError(error, { op: 'open image store', path: directory })
  })
  const lock = await undo.use(takeLock(directory))
  const open = options.openLedger ?? openImageLedger
  const records = await undo.use(
    new Records(await open({ directory, clock: options.clock, log: options.log })),
  )
  const boot = bootId()
  const { log, clock } = options
  const content = await ContentStore.open(directory, boot, log)
  const leases = await undo.use(await Leases.open(directory, { content, boot, clock }))
  const layers = await undo.use(
    new LayerStore({
      content,
      directory,
      log,
      clock,
      limits: options.unpackLimits,
      parallelLayers: options.parallelLayers,
    }),
  )
  const given = [...records.snapshots.values()].flatMap(({ projectId }) => projectId ?? [])
  const quota = await LayerQuota.open({ directory, ids: options.projectIds ?? defaultProjectIds, log }, given)
  const registry = await undo.use(
    new RegistryClient({
      mirrors: options.mirrors ?? {},
      log,
      clock,
      ...(options.registryTimeouts && { timeouts: options.registryTimeouts }),
    }),
  )
  const platform = options.platform ?? ownPlatform()
  const settler = await undo.use(
    new Settler({ records, directory, clock, log, flushOnClose: options.flushOnClose ?? false }),
  )
  const store = new FileImageStore({
    directory,
    lock,
    records,
    content,
    layers,
    quota,
    leases,
    registry,
    credentials: options.credentials ?? (async () => undefined),
    platform,
    boot,
    settler,
    clock,
    log,
  })
  await dropUntrusted(records, boot, log)
  settler.request() // for what an earlier process of this boot did not get to flush
  await store.sweep()
  undo.keep()
  return store
}

function takeLock(directory: string): FileLock {
  try {
    return new FileLock(join(directory, 'lock'))
  } catch (error) {
    if (!hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) throw error
    throw new KeelsonError('FAILED_PRECONDITION', `the image store ${directory} is open in another process`, {
      op: 'lock image store',
      path: directory,
      cause: error,
      hint: 'stop the other keelson, or give this one a data directory of its own',
    })
  }
}
