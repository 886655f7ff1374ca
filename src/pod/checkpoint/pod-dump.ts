import { ContainerConfig, PodSandboxConfig } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import type { ContainerRecord, SandboxRecord } from '../records.ts'
import { broken, objectOf, podPart } from './documents.ts'

/**
 * `pod.dump`, a JSON document of ours (no other runtime writes pods yet): the pod's configuration and those of its
 * containers as CRI's own messages in base64, each with the archive that has the rest of it.
 */
export interface PodDump {
  sandbox: PodSandboxConfig
  runtimeHandler: string
  containers: { config: ContainerConfig; archive: string }[]
}

const version = 1

export const containerArchive = (index: number) => `containers/${index}.tar`
const archiveForm = /^containers\/\d{1,5}\.tar$/

export function encodePodDump(
  { config, runtimeHandler }: SandboxRecord,
  records: readonly ContainerRecord[],
  checkpointedAtMs: number,
): string {
  return JSON.stringify({
    version,
    checkpointedTime: new Date(checkpointedAtMs).toISOString(),
    runtimeHandler,
    sandbox: base64(PodSandboxConfig.encode(config).finish()),
    containers: records.map((record, index) => ({
      name: record.config.metadata?.name ?? '',
      archive: containerArchive(index),
      config: base64(ContainerConfig.encode(record.config).finish()),
    })),
  })
}

/** INVALID_ARGUMENT for whatever is not of this form. */
export function decodePodDump(text: string): PodDump {
  const { version: found, runtimeHandler, sandbox, containers } = objectOf(text, podPart)
  if (found !== version) throw broken(podPart, `is of version ${JSON.stringify(found)}, not ${version}`)
  if (!Array.isArray(containers) || typeof runtimeHandler !== 'string') throw broken(podPart, 'lacks fields')
  return {
    runtimeHandler,
    sandbox: message(sandbox, PodSandboxConfig),
    containers: containers.map((one: unknown) => {
      const { archive, config } = (one ?? {}) as Record<string, unknown>
      if (typeof archive !== 'string' || !archiveForm.test(archive)) throw broken(podPart, 'names no archive')
      return { archive, config: message(config, ContainerConfig) }
    }),
  }
}

/** There are none yet; one that is not obeyed must not pass for one that is. */
export function refuseOptions(options: Readonly<Record<string, string>>): void {
  const [name] = Object.keys(options)
  if (name !== undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `unknown option ${JSON.stringify(name)}: there is none`)
}

function message<Message>(text: unknown, { decode }: { decode(bytes: Uint8Array): Message }): Message {
  try {
    return decode(Buffer.from(String(text), 'base64'))
  } catch (cause) {
    throw broken(podPart, 'holds no message of CRI', cause)
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
