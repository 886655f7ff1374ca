import { isDeepStrictEqual } from 'node:util'
import { generatedName, type KubernetesObject, timestamp } from '../../../api/index.ts'
import { invalid } from '../status.ts'
import { FieldErrors } from '../strategies/field-errors.ts'
import { validateMetadata, validateMetadataUpdate } from '../strategies/metadata.ts'
import type { Kind, Registry } from './registry.ts'

/** An object whose members beside metadata are looked at by name. */
type Members = KubernetesObject & Record<string, unknown>

/** Makes a decoded object a new one: identity, start values, defaults. It is not validated yet. */
export function prepareForCreate(
  registry: Registry,
  kind: Kind,
  object: KubernetesObject,
  namespace: string | undefined,
): void {
  const { metadata } = object
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'resourceVersion'] as const)
    delete metadata[field]
  if (!metadata.name && metadata.generateName)
    metadata.name = generatedName(metadata.generateName, (below) => Math.floor(registry.random() * below))
  if (kind.type.namespaced) metadata.namespace = namespace
  else delete metadata.namespace
  metadata.uid = registry.newUid()
  metadata.creationTimestamp = timestamp(registry.clock.nowMs())
  delete metadata.generation
  if (kind.strategy.countsGenerations) metadata.generation = 1
  if (hasStatus(kind)) delete (object as Members)['status']
  kind.strategy.prepareForCreate?.(object)
  kind.strategy.setDefaults?.(object)
}

/** Which part of an object a write may change. Bindings and finalizers are the server's own changes of the whole. */
export type Part = 'main' | 'status' | 'binding' | 'finalize'

/** Gives a new version what a writer of this part may not change. It is not validated yet. */
export function prepareForUpdate(
  kind: Kind,
  object: KubernetesObject,
  before: KubernetesObject,
  part: Part,
): void {
  keepSystemMetadata(object, before)
  if (part === 'status') prepareStatusUpdate(kind, object as Members, before as Members)
  if (part !== 'main') return
  if (hasStatus(kind)) keep(object as Members, before as Members, 'status')
  kind.strategy.prepareForUpdate?.(object, before)
  kind.strategy.setDefaults?.(object)
  if (kind.strategy.countsGenerations) countGeneration(object as Members, before as Members)
}

/** Throws one 422 with everything that is wrong. */
export function validate(
  kind: Kind,
  object: KubernetesObject,
  before?: KubernetesObject,
  part: Part = 'main',
): void {
  const errors = new FieldErrors()
  validateMetadata(object, kind.strategy.nameRule ?? 'dns-1123-subdomain', errors)
  if (before) validateMetadataUpdate(object, before, errors)
  kind.strategy.validate?.(object, errors)
  if (before && part === 'main') kind.strategy.validateUpdate?.(object, before, errors)
  if (errors.list.length === 0) return
  const { kind: name, group } = kind.type
  throw invalid(name, group, object.metadata.name ?? object.metadata.generateName ?? '', errors.list)
}

function prepareStatusUpdate(kind: Kind, object: Members, before: Members): void {
  const { status } = object
  const { labels, annotations } = object.metadata
  for (const key of Object.keys(object)) delete object[key]
  Object.assign(object, structuredClone(before))
  assignOrDelete(object.metadata, 'labels', labels)
  assignOrDelete(object.metadata, 'annotations', annotations)
  assignOrDelete(object, 'status', status)
  kind.strategy.prepareForStatusUpdate?.(object, before)
}

function keepSystemMetadata({ metadata }: KubernetesObject, { metadata: before }: KubernetesObject): void {
  metadata.uid ??= before.uid
  for (const field of ['name', 'namespace', 'generateName', 'creationTimestamp', 'generation'] as const) {
    assignOrDelete(metadata, field, before[field])
  }
  assignOrDelete(metadata, 'deletionTimestamp', before.deletionTimestamp)
  assignOrDelete(metadata, 'deletionGracePeriodSeconds', before.deletionGracePeriodSeconds)
}

function countGeneration(object: Members, before: Members): void {
  const content = ({
    metadata: _metadata,
    status: _status,
    kind: _kind,
    apiVersion: _version,
    ...rest
  }: Members) => rest
  if (isDeepStrictEqual(plain(content(object)), plain(content(before)))) return
  object.metadata.generation = (before.metadata.generation ?? 0) + 1
}

/** Without members that are undefined, as it would be read back. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function hasStatus(kind: Kind): boolean {
  return kind.type.subresources.some(({ name }) => name === 'status')
}

function keep(object: Members, before: Members, key: string): void {
  assignOrDelete(object, key, before[key])
}

function assignOrDelete<T extends object, K extends keyof T>(
  object: T,
  key: K,
  value: T[K] | undefined,
): void {
  if (value === undefined) delete object[key]
  else object[key] = value
}
