import type { ObjectMeta } from './types/index.ts'

/** What every object of the API has. */
export interface KubernetesObject {
  apiVersion?: string | undefined
  kind?: string | undefined
  metadata: ObjectMeta
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

export interface Subresource {
  name: string
  /** Kind that is read and written; of the resource's own group and version unless `groupVersion` says otherwise. */
  kind: string
  groupVersion?: string
  verbs: readonly Verb[]
}

/** One row of the resource table: all that the server, the client and discovery need to know of a kind. */
export interface ResourceType<T extends KubernetesObject = KubernetesObject> {
  /** The empty string for the core group. */
  group: string
  version: string
  kind: string
  plural: string
  singular: string
  shortNames: readonly string[]
  categories: readonly string[]
  namespaced: boolean
  verbs: readonly Verb[]
  subresources: readonly Subresource[]
  /** Name of the kind's schema in the table of definitions. */
  definition: string
  /** Row whose objects this one shows under another group; it stores none of its own. */
  viewOf?: { group: string; version: string; plural: string }
  /** Never set: ties the row to the type of its objects. */
  readonly objectType?: T
}

export const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]

/** `v1` or `apps/v1`: the apiVersion of the kind's objects. */
export function apiVersionOf({ group, version }: Pick<ResourceType, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`
}

/** Path of a collection, an object or one of its subresources below the server's root. */
export function pathOf(
  type: Pick<ResourceType, 'group' | 'version' | 'plural' | 'namespaced'>,
  at: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined } = {},
): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const scope =
    type.namespaced && at.namespace !== undefined ? `/namespaces/${encodeURIComponent(at.namespace)}` : ''
  const name = at.name === undefined ? '' : `/${encodeURIComponent(at.name)}`
  return `${root}${scope}/${type.plural}${name}${at.subresource === undefined ? '' : `/${at.subresource}`}`
}
