import type {
  ConfigMap,
  ConfigMapProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  SecretProjection,
  Volume,
} from '../../api/index.ts'
import { KeelsonError } from '../../base/index.ts'
import { containerResourceText, type PodAddresses, podFieldText } from '../downward.ts'
import { containersOf } from '../pod-identity.ts'
import type { VolumeFile } from './atomic-files.ts'

/** What the files of configMap, secret, downwardAPI and projected volumes are made of. */
export interface ProjectionSources extends PodAddresses {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
  allocatable: Record<string, string>
}

const modeDefault = 0o644

/** The files of a volume, or undefined when it is not one whose files come from the API. */
export function projectedFiles(
  pod: Pod,
  volume: Volume,
  sources: ProjectionSources,
): Map<string, VolumeFile> | undefined {
  const { configMap, secret, downwardAPI, projected } = volume
  const files = new Map<string, VolumeFile>()
  if (configMap) addConfigMap(files, configMap, configMap.defaultMode, sources)
  else if (secret) addSecret(files, { ...secret, name: secret.secretName }, secret.defaultMode, sources)
  else if (downwardAPI) addDownward(files, pod, downwardAPI.items, downwardAPI.defaultMode, sources)
  else if (projected) addProjected(files, pod, projected, sources)
  else return undefined
  return files
}

function addProjected(
  files: Map<string, VolumeFile>,
  pod: Pod,
  { sources: list = [], defaultMode }: NonNullable<Volume['projected']>,
  sources: ProjectionSources,
): void {
  for (const source of list ?? []) {
    if (source.configMap) addConfigMap(files, source.configMap, defaultMode, sources)
    else if (source.secret) addSecret(files, source.secret, defaultMode, sources)
    else if (source.downwardAPI) addDownward(files, pod, source.downwardAPI.items, defaultMode, sources)
    else {
      const kind = Object.keys(source)[0] ?? 'empty'
      throw new KeelsonError('UNIMPLEMENTED', `projected ${kind} volumes are not supported yet`)
    }
  }
}

function addConfigMap(
  files: Map<string, VolumeFile>,
  { name = '', items, optional }: ConfigMapProjection,
  mode: number | undefined,
  sources: ProjectionSources,
): void {
  const found = sources.configMap(name)
  if (!found && !optional) throw missing(`configmap "${name}" not found`)
  const data = new Map<string, Uint8Array>()
  for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text))
  for (const [key, text] of Object.entries(found?.binaryData ?? {}))
    data.set(key, Buffer.from(text, 'base64'))
  addKeys(files, data, items, { mode, optional, from: `configmap "${name}"` })
}

function addSecret(
  files: Map<string, VolumeFile>,
  { name = '', items, optional }: SecretProjection,
  mode: number | undefined,
  sources: ProjectionSources,
): void {
  const found = sources.secret(name)
  if (!found && !optional) throw missing(`secret "${name}" not found`)
  const data = new Map<string, Uint8Array>()
  for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text, 'base64'))
  addKeys(files, data, items, { mode, optional, from: `secret "${name}"` })
}

function addKeys(
  files: Map<string, VolumeFile>,
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  {
    mode = modeDefault,
    optional,
    from,
  }: { mode: number | undefined; optional: boolean | undefined; from: string },
): void {
  if (!items) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode })
    return
  }
  for (const { key, path, mode: own } of items) {
    const bytes = data.get(key)
    if (bytes) files.set(path, { data: bytes, mode: own ?? mode })
    else if (!optional) throw missing(`${from} has no key "${key}"`)
  }
}

function addDownward(
  files: Map<string, VolumeFile>,
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] = [],
  mode: number = modeDefault,
  sources: ProjectionSources,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const [first] = containersOf(pod)
    const text = fieldRef
      ? podFieldText(pod, fieldRef.fieldPath, sources)
      : resourceFieldRef && first
        ? containerResourceText(pod, first, resourceFieldRef, sources.allocatable)
        : ''
    files.set(path, { data: Buffer.from(text), mode: own ?? mode })
  }
}

function missing(message: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', message, { op: 'mount volume' })
}
