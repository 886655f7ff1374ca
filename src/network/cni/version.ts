/** Versions of the CNI specification, oldest first. Before 0.3.0 there were neither lists nor chained plugins. */
export const cniVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export type CniVersion = (typeof cniVersions)[number]

export const newestVersion: CniVersion = '1.1.0'

export function isCniVersion(version: unknown): version is CniVersion {
  return cniVersions.some((known) => known === version)
}

/** Whether what came with `since` is there. CHECK: 0.4.0; GC and STATUS: 1.1.0. */
export function hasSince(version: CniVersion, since: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(since)
}

/** The newest of these that we speak. */
export function newestKnown(versions: readonly unknown[]): CniVersion | undefined {
  return cniVersions.findLast((known) => versions.includes(known))
}
