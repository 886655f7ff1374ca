import type { KubernetesObject, ResourceType } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import type { NameRule } from './names.ts'

/**
 * What the server knows of a kind beyond its schema. Every member may be left out; the rules for all kinds
 * (metadata, status isolation, preconditions, finalizers) live in the registry. Functions that take `object` may
 * change it; `before` is shared and may not be changed.
 */
export interface Strategy<T extends KubernetesObject = KubernetesObject> {
  /** Default: RFC 1123 subdomain. */
  nameRule?: NameRule
  /** `metadata.generation` counts the changes of everything but metadata and status. */
  countsGenerations?: boolean
  /** PUT of an absent object creates it. */
  createsOnUpdate?: boolean
  /** Objects end by themselves after this time. */
  lifetimeMs?: number
  /** Fills in what the writer left open, on every write. */
  setDefaults?(object: T): void
  /** Start values and fields that a creator may not set. `status` is emptied before where it is a subresource. */
  prepareForCreate?(object: T): void
  /** Called with the status of `before` already put back where it is a subresource. */
  prepareForUpdate?(object: T, before: T): void
  /** Called for writes of the status subresource with everything but status, labels and annotations put back. */
  prepareForStatusUpdate?(object: T, before: T): void
  validate?(object: T, errors: FieldErrors): void
  validateUpdate?(object: T, before: T, errors: FieldErrors): void
  /** Fields that a field selector may name, beside metadata.name and metadata.namespace. */
  selectableFields?(object: T): Record<string, string>
  /** Things of which there is one in the cluster, held while the object lives: addresses, ports. */
  claims?(object: T): Claim[]
  /** Chooses what the writer left to the server; asked anew when a choice turns out to be taken. */
  allocate?(object: T, before: T | undefined, pool: Pool): Promise<void>
  /** Seconds between the first DELETE and the removal; 0 (default) removes at once. */
  gracePeriodSeconds?(object: T, asked: number | undefined): number
  /** Marks the object as going when deletion begins. */
  beginDeletion?(object: T): void
  /** Further keepers beside metadata.finalizers. */
  isKept?(object: T): boolean
  /** DELETE answers with the last state of the object instead of a Success. */
  returnsDeleted?: boolean
  /** Why this object may not be deleted. */
  refuseDeletion?(object: T): string | undefined
}

export interface Claim {
  /** Unique in the store: `serviceips/10.43.0.7`. */
  id: string
  field: string
  value: string | number
}

/** What is taken already, and chance. */
export interface Pool {
  isTaken(id: string): Promise<boolean>
  random(): number
}

/** Ties a strategy to its row. The registry hands it objects of that row only, hence the cast. */
export function strategy<T extends KubernetesObject>(
  type: ResourceType<T>,
  rules: Strategy<T>,
): readonly [ResourceType, Strategy] {
  return [type as ResourceType, rules as unknown as Strategy]
}
