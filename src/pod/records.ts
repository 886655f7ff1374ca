import { ContainerConfig, PodSandboxConfig } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { ImageConfig } from '../image/index.ts'

/**
 * What is known of sandboxes and containers, and the bytes it is kept as. The state is derived from recorded facts,
 * never stored beside them:
 *
 *     sandbox    stoppedAtNs absent → READY,  present → NOTREADY
 *     container  exit present → EXITED,  startedAtNs present → RUNNING,  neither → CREATED
 */
export interface SandboxRecord {
  id: string
  config: PodSandboxConfig
  runtimeHandler: string
  /** The archive that it was restored from. */
  restoredFrom?: string
  createdAtNs: bigint
  stoppedAtNs?: bigint
  /** IPv4 first; empty with the host's network. */
  addresses: string[]
  /** Cgroup of the pod, from the root of every hierarchy. */
  cgroupPath: string
  /** It was not there before, so it goes with the sandbox. */
  ownsCgroup: boolean
}

export interface ContainerRecord {
  id: string
  sandboxId: string
  config: ContainerConfig
  /** Digest of the image's config. */
  imageId: string
  /** A repo digest, or the id of an image that has none. */
  imageRef: string
  /** A tag of the image, or what the caller asked for. */
  imageName: string
  /** Kept here because the image may be removed while its containers live on. */
  imageConfig: ImageConfig
  /** Name or number. */
  stopSignal: string
  logPath: string
  user: { uid: number; gid: number; additionalGids: number[] }
  /** It is started from a checkpoint, which lies beside its snapshot: when that was written. */
  restores?: { checkpointedAt: string }
  /** A checkpoint of it is being written: the directory that goes with that (checkpoint/work.ts). */
  checkpointing?: string
  /** Images that are mounted as volumes; absent: none. */
  imageVolumes?: ImageVolume[]
  createdAtNs: bigint
  startedAtNs?: bigint
  exit?: ContainerExit
}

export interface ImageVolume {
  /** Its place in the container. */
  destination: string
  imageId: string
  /** What of the image is mounted; empty for all. */
  subPath: string
}

export interface ContainerExit {
  exitCode: number
  finishedAtNs: bigint
  /** Completed, Error, OOMKilled, StartError or MonitorLost. */
  reason: string
  message: string
}

const version = 1

export const sandboxKey = (id: string): string => `pod/sandbox/${id}`
export const containerKey = (id: string): string => `pod/container/${id}`

export function encodeSandbox(record: SandboxRecord): Uint8Array {
  return encode({ ...record, config: base64(PodSandboxConfig.encode(record.config).finish()) })
}

export function encodeContainer(record: ContainerRecord): Uint8Array {
  return encode({ ...record, config: base64(ContainerConfig.encode(record.config).finish()) })
}

/** DATA_LOSS when the bytes are not a record of a version this program knows. */
export function decodeSandbox(key: string, bytes: Uint8Array): SandboxRecord {
  const stored = decode(key, bytes)
  return { ...stored, config: PodSandboxConfig.decode(fromBase64(stored['config'])) } as SandboxRecord
}

export function decodeContainer(key: string, bytes: Uint8Array): ContainerRecord {
  const stored = decode(key, bytes)
  return { ...stored, config: ContainerConfig.decode(fromBase64(stored['config'])) } as ContainerRecord
}

function encode(record: Record<string, unknown>): Uint8Array {
  const text = JSON.stringify({ version, ...record }, (_key, value) =>
    typeof value === 'bigint' ? { ns: value.toString() } : value,
  )
  return Buffer.from(text)
}

function decode(key: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString(), revive)
    if (typeof parsed === 'object' && parsed !== null && Reflect.get(parsed, 'version') === version) {
      const { version: _, ...record } = parsed as Record<string, unknown>
      return record
    }
  } catch (cause) {
    throw unreadable(key, cause)
  }
  throw unreadable(key)
}

function unreadable(key: string, cause?: unknown): KeelsonError {
  return new KeelsonError('DATA_LOSS', `the record ${key} cannot be read by this version`, { cause })
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const ns: unknown = Reflect.get(value, 'ns')
  return typeof ns === 'string' && Object.keys(value).length === 1 ? BigInt(ns) : value
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function fromBase64(text: unknown): Uint8Array {
  return Buffer.from(typeof text === 'string' ? text : '', 'base64')
}
