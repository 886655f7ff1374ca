import type { ResourceType, Subresource } from '../../../api/index.ts'
import { parseMediaTypes } from '../http/media-type.ts'
import { groupAndVersion } from './legacy.ts'

export type DiscoveryVersion = 'v2' | 'v2beta1'

/** The aggregated form that an Accept header puts before plain JSON; undefined when it wants the legacy one. */
export function aggregatedVersion(accept: string | undefined): DiscoveryVersion | undefined {
  for (const { type, parameters } of parseMediaTypes(accept ?? '')) {
    if (type !== 'application/json') continue
    const { g, v, as } = parameters
    if (as === undefined) return undefined
    if (g === 'apidiscovery.k8s.io' && as === 'APIGroupDiscoveryList' && (v === 'v2' || v === 'v2beta1'))
      return v
  }
  return undefined
}

export function aggregatedContentType(version: DiscoveryVersion): string {
  return `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
}

/** APIGroupDiscoveryList over these rows: the core group's for `/api`, all others for `/apis`. */
export function discoveryList(rows: readonly ResourceType[], version: DiscoveryVersion): unknown {
  const groups = [...new Set(rows.map(({ group }) => group))]
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) =>
      groupOf(
        group,
        rows.filter((row) => row.group === group),
      ),
    ),
  }
}

function groupOf(group: string, rows: readonly ResourceType[]): unknown {
  const versions = [...new Set(rows.map(({ version }) => version))]
  return {
    metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      freshness: 'Current',
      resources: rows.filter((row) => row.version === version).map(resourceOf),
    })),
  }
}

function resourceOf(row: ResourceType): unknown {
  const { group, version, kind, plural, singular, namespaced, verbs, shortNames, categories } = row
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(row.subresources.length > 0
      ? { subresources: row.subresources.map((one) => subresourceOf(row, one)) }
      : {}),
  }
}

function subresourceOf(row: ResourceType, { name, kind, groupVersion, verbs }: Subresource): unknown {
  const { group, version } = groupVersion === undefined ? row : groupAndVersion(groupVersion)
  return { subresource: name, responseKind: { group, version, kind }, verbs }
}
