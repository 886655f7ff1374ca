import {
  type APIGroup,
  type APIGroupList,
  type APIResource,
  type APIResourceList,
  type APIVersions,
  apiVersionOf,
  type ResourceType,
  type Subresource,
} from '../../../api/index.ts'

const everywhere = '0.0.0.0/0'

/** `/api`: the versions of the core group. `address` is host:port of this server. */
export function coreVersions(rows: readonly ResourceType[], address: string): APIVersions {
  return {
    kind: 'APIVersions',
    versions: [...new Set(rows.filter(({ group }) => group === '').map(({ version }) => version))],
    serverAddressByClientCIDRs: [{ clientCIDR: everywhere, serverAddress: address }],
  }
}

/** `/apis`: every other group. */
export function groupList(rows: readonly ResourceType[]): APIGroupList {
  const names = [...new Set(rows.map(({ group }) => group))].filter((group) => group !== '')
  const groups = names.map((group) => groupOf(rows, group)).filter((one) => one !== undefined)
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(({ kind: _kind, apiVersion: _v, ...rest }) => rest),
  }
}

/** `/apis/GROUP`; undefined where no row has this group. */
export function groupOf(rows: readonly ResourceType[], group: string): APIGroup | undefined {
  const names = [...new Set(rows.filter((row) => row.group === group).map(({ version }) => version))]
  const versions = names.map((version) => ({ groupVersion: apiVersionOf({ group, version }), version }))
  const [preferredVersion] = versions
  return preferredVersion && { kind: 'APIGroup', apiVersion: 'v1', name: group, versions, preferredVersion }
}

/** `/api/v1`, `/apis/GROUP/VERSION`: resources and their subresources. */
export function resourceList(
  rows: readonly ResourceType[],
  group: string,
  version: string,
): APIResourceList | undefined {
  const own = rows.filter((row) => row.group === group && row.version === version)
  if (own.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: own.flatMap((row) => [
      resourceOf(row),
      ...row.subresources.map((subresource) => subresourceOf(row, subresource)),
    ]),
  }
}

function resourceOf(row: ResourceType): APIResource {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = row
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: [...verbs],
    ...(shortNames.length > 0 ? { shortNames: [...shortNames] } : {}),
    ...(categories.length > 0 ? { categories: [...categories] } : {}),
    storageVersionHash: Buffer.from(row.definition).toString('base64').slice(-12),
  }
}

function subresourceOf(row: ResourceType, { name, kind, groupVersion, verbs }: Subresource): APIResource {
  const foreign = groupVersion === undefined ? {} : groupAndVersion(groupVersion)
  return {
    name: `${row.plural}/${name}`,
    singularName: '',
    namespaced: row.namespaced,
    ...foreign,
    kind,
    verbs: [...verbs],
  }
}

/** `apps/v1` → group and version; `v1` is the core group. */
export function groupAndVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  if (slash < 0) return { group: '', version: apiVersion }
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
