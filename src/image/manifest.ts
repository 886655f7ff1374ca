import { KeelsonError } from '../base/index.ts'
import type { Blob } from './content-store.ts'
import { isDigest } from './digest.ts'
import {
  configTypes,
  emptyType,
  indexTypes,
  layerType,
  manifestTypes,
  ociIndexType,
  ociManifestType,
} from './media-types.ts'
import { oneLine } from './one-line.ts'
import type { Platform } from './platform.ts'

export interface Descriptor extends Blob {
  mediaType: string
  platform?: Platform
  /** Where else the content may be had. */
  urls?: readonly string[]
  artifactType?: string
  annotations?: Record<string, string>
}

export interface Manifest {
  kind: 'manifest'
  config: Descriptor
  layers: Descriptor[]
}

export interface Index {
  kind: 'index'
  manifests: Descriptor[]
}

export const maxManifestBytes = 4 * 1024 * 1024

const maxLayers = 500

/**
 * Reads a manifest or an index and takes nothing on trust: `mediaType` and content must agree, and a document that
 * is both (`layers` and `manifests`, CVE-2021-41190) is refused. `contentType` is the registry's header.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest | Index {
  const document = parseObject(bytes, 'the manifest')
  const declared = typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined
  const header = contentType?.split(';')[0]?.trim()
  if (document['schemaVersion'] === 1 || header?.includes('.v1+prettyjws') || 'fsLayers' in document)
    throw new KeelsonError(
      'UNIMPLEMENTED',
      'the image has a manifest of schema 1, which nobody writes since 2017',
      {
        hint: 'push the image again with a current tool',
      },
    )
  if (document['schemaVersion'] !== 2) broken('the manifest has no schemaVersion 2')
  const known = [...manifestTypes, ...indexTypes]
  if (declared && header && known.includes(header) && declared !== header)
    broken(`the manifest says it is ${declared}, the registry says ${header}`)
  if ('manifests' in document && ('layers' in document || 'config' in document))
    broken('the manifest has both layers and manifests')
  const type = declared ?? (header && known.includes(header) ? header : undefined)
  const isIndex = type === undefined ? 'manifests' in document : indexTypes.includes(type)
  if (type !== undefined && !known.includes(type)) broken(`the manifest has the unknown type ${type}`)
  return isIndex ? readIndex(document) : readManifest(document)
}

/** An OCI manifest of these parts, always the same bytes for the same parts. */
export function composeManifest({ config, layers }: Pick<Manifest, 'config' | 'layers'>): Buffer {
  const entry = ({ mediaType, digest, sizeBytes }: Descriptor) => ({ mediaType, digest, size: sizeBytes })
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifestType,
      config: entry(config),
      layers: layers.map(entry),
    }),
  )
}

/** Of a manifest or an index. */
export function annotationsOf(bytes: Uint8Array): Readonly<Record<string, string>> {
  const { annotations = {} } = parseObject(bytes, 'the manifest')
  const texts = Object.entries(asObject(annotations, 'annotations'))
  return Object.fromEntries(texts.filter((pair): pair is [string, string] => typeof pair[1] === 'string'))
}

/** What a document of ours says it is; one that does not say is as the image-spec has it. */
export function mediaTypeOf(bytes: Uint8Array): string {
  const document = parseObject(bytes, 'the manifest')
  if (typeof document['mediaType'] === 'string') return document['mediaType']
  return 'manifests' in document ? ociIndexType : ociManifestType
}

/** A JSON object, nothing else. DATA_LOSS. */
export function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    broken(`${what} is not JSON`)
  }
  return asObject(value, what)
}

export function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    broken(`${what} is not a JSON object`)
  return value as Record<string, unknown>
}

/** Not the fault of whoever asked for the image: what its registry or archive holds is not what it claims to be. */
export function broken(why: string): never {
  throw new KeelsonError('DATA_LOSS', `the image is broken: ${oneLine(why, 400)}`)
}

function readManifest(document: Record<string, unknown>): Manifest {
  const config = readDescriptor(document['config'], 'config')
  const artifactType = document['artifactType'] ?? (config.mediaType === emptyType ? 'unknown' : undefined)
  if (!configTypes.includes(config.mediaType)) noImage(artifactType ?? config.mediaType)
  if (!Array.isArray(document['layers'])) broken('the manifest has no layers')
  if (document['layers'].length > maxLayers) broken(`it has ${document['layers'].length} layers`)
  const layers = document['layers'].map((layer, at) => readDescriptor(layer, `layers[${at}]`))
  for (const { mediaType } of layers)
    if (!layerType.test(mediaType)) broken(`a layer has the unsupported type ${mediaType}`)
  return { kind: 'manifest', config, layers }
}

/** Registries hold more than images: charts, signatures, modules. */
function noImage(kind: unknown): never {
  throw new KeelsonError(
    'FAILED_PRECONDITION',
    `it is no container image but an artifact of the type ${oneLine(String(kind), 200)}`,
    { hint: 'fetch it with a tool for artifacts; only container images can be pulled here' },
  )
}

function readIndex(document: Record<string, unknown>): Index {
  if (!Array.isArray(document['manifests'])) broken('the index has no manifests')
  if (document['manifests'].length > 1000) broken(`the index has ${document['manifests'].length} manifests`)
  return {
    kind: 'index',
    manifests: document['manifests'].map((one, at) => readDescriptor(one, `manifests[${at}]`)),
  }
}

function readDescriptor(value: unknown, where: string): Descriptor {
  const { mediaType, digest, size, platform, urls, artifactType, annotations } = asObject(value, where)
  if (typeof mediaType !== 'string') broken(`${where} has no mediaType`)
  if (!isDigest(digest)) broken(`${where} has no sha256 or sha512 digest`)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    broken(`${where} has the size ${size}`)
  const read = readPlatform(platform)
  return {
    mediaType,
    digest,
    sizeBytes: size,
    ...(read && { platform: read }),
    ...(isTexts(urls) && urls.length > 0 && { urls }),
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(typeof annotations === 'object' && annotations !== null && { annotations: texts(annotations) }),
  }
}

function readPlatform(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { os, architecture, variant } = texts(value)
  return { os: os ?? '', architecture: architecture ?? '', ...(variant && { variant }) }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function texts(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'))
}
