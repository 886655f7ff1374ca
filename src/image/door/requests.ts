/**
 * What may be asked of whoever has the image store open. A store has one owner at a time; another process that wants
 * something of it sends a question through the socket in its directory (serve.ts), and the owner answers with the
 * same function that it would call itself (answers.ts). One connection carries one question. All lines are JSON:
 *
 *     ← { "version": 1 }             from here on the owner stays until it has answered
 *     → { "version": 1, "verb": "pull", "question": { "reference": "nginx" } }
 *     ← { "progress": { … } }        any number of these
 *     ← { "answer": … }              or { "error": { … } }, then the end
 *
 * A caller that closes its end has cancelled.
 */
import type {
  ArchiveFormat,
  FilesystemUsage,
  Freed,
  HistoryStep,
  Image,
  ImageDescription,
  PullProgress,
  Pushed,
  PushProgress,
  RegistryAuth,
  StoreCheck,
} from '../image-store.ts'
import type { Platform } from '../platform.ts'
import type { Mirrors } from '../registry/mirrors.ts'
import type { PlainError } from '../unpack/protocol.ts'

export interface Questions {
  list: Record<string, never>
  describe: { name: string }
  history: { name: string }
  filesystem: Record<string, never>
  pull: { reference: string; platform?: Platform; mirrors?: Mirrors; auth?: RegistryAuth }
  push: { name: string; to?: string; mirrors?: Mirrors; auth?: RegistryAuth }
  fsck: { repair: boolean }
  /** Paths are absolute, in the owner's file system. */
  load: { path: string; reference?: string; platform?: Platform }
  save: { names: string[]; path: string; format: ArchiveFormat }
  tag: { name: string; tag: string }
  /** `force`: also an image that a container uses, and every name when it is named by its id. */
  remove: { name: string; force: boolean }
  prune: { all: boolean; minAgeMs: number }
}

export interface Answers {
  list: ImageDescription[]
  describe: ImageDescription
  history: HistoryStep[]
  filesystem: FilesystemUsage
  pull: Image
  push: Pushed
  fsck: StoreCheck
  load: Image[]
  save: null
  tag: Image
  remove: Removed
  prune: Freed
}

export interface Removed {
  /** Names that are gone. */
  untagged: string[]
  /** The image that went with its last name. */
  removed?: string
}

export type Verb = keyof Questions

export type Progress = PullProgress | PushProgress

export interface Asking {
  signal?: AbortSignal
  onProgress?: (event: Progress) => void
}

/** The store, wherever it is open. */
export interface ImageDoor extends AsyncDisposable {
  ask<V extends Verb>(verb: V, question: Questions[V], asking?: Asking): Promise<Answers[V]>
}

export const protocolVersion = 1

export interface Call {
  version: number
  verb: string
  question: unknown
}

export type Reply = { version: number } | { progress: Progress } | { answer: unknown } | { error: PlainError }

/** In the store's directory. */
export const socketName = 'door.sock'
