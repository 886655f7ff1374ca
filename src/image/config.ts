import { isDigest } from './digest.ts'
import type { ImageConfig } from './image-store.ts'
import { asObject, broken, parseObject } from './manifest.ts'

export const maxConfigBytes = 8 * 1024 * 1024

/** The image config (image-spec config.md), as far as it decides how a container runs, and the layers' diff ids. */
export function parseConfig(bytes: Uint8Array): { config: ImageConfig; diffIds: string[] } {
  const document = parseObject(bytes, 'the config')
  const { type, diff_ids: diffIds } = asObject(document['rootfs'], 'rootfs of the config')
  if (type !== 'layers' || !Array.isArray(diffIds) || !diffIds.every(isDigest))
    broken('the config has no list of layer digests')
  const run =
    document['config'] === undefined || document['config'] === null
      ? {}
      : asObject(document['config'], 'config.config')
  const created = text(document, 'created')
  const variant = text(document, 'variant')
  return {
    diffIds,
    config: {
      architecture: text(document, 'architecture') ?? '',
      os: text(document, 'os') ?? '',
      ...(variant && { variant }),
      ...(created !== undefined && { created }),
      config: runConfig(run),
    },
  }
}

function runConfig(run: Record<string, unknown>): ImageConfig['config'] {
  const found = {
    User: text(run, 'User'),
    Env: list(run, 'Env'),
    Entrypoint: list(run, 'Entrypoint'),
    Cmd: list(run, 'Cmd'),
    WorkingDir: text(run, 'WorkingDir'),
    Volumes: map(run, 'Volumes'),
    ExposedPorts: map(run, 'ExposedPorts'),
    Labels: labels(run),
    StopSignal: text(run, 'StopSignal'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

function text(from: Record<string, unknown>, key: string): string | undefined {
  const value = from[key]
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' ? value : broken(`${key} in the config is not a string`)
}

function list(from: Record<string, unknown>, key: string): string[] | undefined {
  const value = from[key]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  return broken(`${key} in the config is not a list of strings`)
}

function map(from: Record<string, unknown>, key: string): Record<string, unknown> | undefined {
  const value = from[key]
  return value === undefined || value === null ? undefined : asObject(value, `${key} in the config`)
}

function labels(from: Record<string, unknown>): Record<string, string> | undefined {
  const value = map(from, 'Labels')
  if (value && !Object.values(value).every((one) => typeof one === 'string'))
    broken('a label is not a string')
  return value as Record<string, string> | undefined
}
