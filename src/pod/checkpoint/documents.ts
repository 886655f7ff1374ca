import type { ContainerStatus } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import type { ContainerRecord } from '../records.ts'

/** The parts of a container's checkpoint, by the names that containerd, CRI-O and checkpointctl know. */
export const parts = {
  spec: 'spec.dump',
  config: 'config.dump',
  status: 'status.dump',
  images: 'checkpoint',
  changes: 'rootfs-diff.tar',
  deleted: 'deleted.files',
  log: 'container.log',
} as const

/** Of a pod's checkpoint: what the pod is, beside an archive of each container. */
export const podPart = 'pod.dump'

/** Annotations by which an image says that it carries a checkpoint: containerd's (any engine's), and CRI-O's older one. */
export const checkpointAnnotations = [
  'org.criu.checkpoint.container.name',
  'io.kubernetes.cri-o.annotations.checkpoint.name',
]

/** `config.dump`, in checkpointctl's words. */
export function configDump(record: ContainerRecord, checkpointedAtMs: number): Record<string, unknown> {
  return {
    id: record.id,
    name: record.config.metadata?.name ?? '',
    rootfsImage: record.imageName,
    rootfsImageRef: record.imageRef,
    rootfsImageName: record.imageName,
    runtime: 'keelson',
    createdTime: isoTime(record.createdAtNs),
    checkpointedTime: new Date(checkpointedAtMs).toISOString(),
    restoredTime: '0001-01-01T00:00:00Z',
    restored: false,
  }
}

/** `status.dump`: CRI's status as Go writes a message of it. */
export function statusDump(status: ContainerStatus): Record<string, unknown> {
  return {
    id: status.id,
    metadata: { name: status.metadata?.name ?? '', attempt: status.metadata?.attempt ?? 0 },
    state: status.state,
    created_at: Number(status.createdAt),
    started_at: Number(status.startedAt),
    image: { image: status.image?.image ?? '', user_specified_image: status.image?.userSpecifiedImage ?? '' },
    image_ref: status.imageRef,
    image_id: status.imageId,
    labels: status.labels,
    annotations: status.annotations,
    log_path: status.logPath,
  }
}

/** The names of the image that a checkpoint was made over, the most exact first. */
export function readConfigDump(text: string): { imageNames: string[]; checkpointedAt: string } {
  const document = objectOf(text, parts.config)
  const words = (key: string) => (typeof document[key] === 'string' ? [document[key]] : [])
  const names = ['rootfsImageRef', 'rootfsImageName', 'rootfsImage']
    .flatMap(words)
    .filter((name) => name !== '')
  return { imageNames: [...new Set(names)], checkpointedAt: words('checkpointedTime')[0] ?? '' }
}

/** `deleted.files` of CRI-O: what the container removed from its image, absolute. */
export function readDeletedFiles(text: string): string[] {
  const list: unknown = parse(text, parts.deleted)
  if (Array.isArray(list)) return list.filter((one) => typeof one === 'string')
  throw broken(parts.deleted, 'is no list')
}

export function objectOf(text: string, name: string): Record<string, unknown> {
  const value: unknown = parse(text, name)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw broken(name, 'is no JSON object')
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw broken(name, 'is not JSON', cause)
  }
}

export function broken(name: string, what: string, cause?: unknown): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `the checkpoint cannot be used: ${name} ${what}`, {
    path: name,
    ...(cause === undefined ? {} : { cause }),
  })
}

function isoTime(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString()
}
