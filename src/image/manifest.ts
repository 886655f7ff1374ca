import { KeelsonError } from '../base/index.ts'
import type { Blob } from './content-store.ts'
import { isDigest } from './digest.ts'

export interface Descriptor extends Blob {
  mediaType: string
  platform?: Platform
  annotations?: Record<string, string>
}

export interface Platform {
  os: string
  architecture: string
  variant?: string
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

const oci = 'application/vnd.oci.image'
const docker = 'application/vnd.docker.distribution.manifest'
const manifestTypes = [`${oci}.manifest.v1+json`, `${docker}.v2+json`]
const indexTypes = [`${oci}.index.v1+json`, `${docker}.list.v2+json`]
const configTypes = [`${oci}.config.v1+json`, 'application/vnd.docker.container.image.v1+json']
const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)(?:[.+](?:gzip|zstd))?$/
const maxLayers = 500

/** What we can read, best first: for the Accept header. */
export const acceptedTypes = [...indexTypes, ...manifestTypes].join(', ')

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

/** The manifest of an index for this platform. NOT_FOUND tells what there is instead. */
export function selectPlatform(index: Index, wanted: Platform): Descriptor {
  const fits = index.manifests.filter(({ platform }) => platform !== undefined && matches(platform, wanted))
  const exact = fits.find(({ platform }) => platform?.variant === wanted.variant)
  const chosen = exact ?? fits[0] ?? index.manifests.find(({ platform }) => platform === undefined)
  if (chosen) return chosen
  const offered = index.manifests.map(({ platform }) => platform && formatPlatform(platform)).filter(Boolean)
  throw new KeelsonError(
    'NOT_FOUND',
    `the image is not there for ${formatPlatform(wanted)}, only for ${offered.join(', ') || 'nothing'}`,
  )
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** A JSON object, nothing else. INVALID_ARGUMENT. */
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

export function broken(why: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `the image is broken: ${why}`)
}

/** Variants: an arm64 image without one is v8, an amd64 image without one is v1. */
function matches(have: Platform, want: Platform): boolean {
  if (have.os !== want.os || have.architecture !== want.architecture) return false
  const least: Record<string, string> = { arm64: 'v8', amd64: 'v1' }
  const base = least[want.architecture]
  return (have.variant ?? base) === (want.variant ?? base)
}

function readManifest(document: Record<string, unknown>): Manifest {
  const config = readDescriptor(document['config'], 'config')
  if (!configTypes.includes(config.mediaType))
    broken(`it is no container image: its config is ${config.mediaType}`)
  if (!Array.isArray(document['layers'])) broken('the manifest has no layers')
  if (document['layers'].length > maxLayers) broken(`it has ${document['layers'].length} layers`)
  const layers = document['layers'].map((layer, at) => readDescriptor(layer, `layers[${at}]`))
  for (const { mediaType } of layers)
    if (!layerType.test(mediaType)) broken(`a layer has the unsupported type ${mediaType}`)
  return { kind: 'manifest', config, layers }
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
  const { mediaType, digest, size, platform, annotations } = asObject(value, where)
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
    ...(typeof annotations === 'object' && annotations !== null && { annotations: texts(annotations) }),
  }
}

function readPlatform(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { os, architecture, variant } = texts(value)
  return { os: os ?? '', architecture: architecture ?? '', ...(variant && { variant }) }
}

function texts(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'))
}
