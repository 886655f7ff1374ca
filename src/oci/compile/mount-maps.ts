import { KeelsonError } from '../../base/index.ts'
import { checkIdMappings, type IdMaps, type MountRanges, parseMountMaps, relativeTo } from '../id-mappings.ts'
import type { MountOptions } from '../mount-options.ts'
import { shown } from '../shown.ts'
import type { IdMapping, Linux, Mount } from '../spec.ts'

/**
 * The map of ids that a mount asks for by itself: the specification's `uidMappings` and `gidMappings`, or crun's
 * `idmap=uids=…;gids=…`. Undefined when it wants the container's own.
 */
export function mountMaps(
  mount: Mount,
  options: MountOptions,
  linux: Linux,
  path: string,
): IdMaps | undefined {
  const asked = mount.uidMappings?.length || mount.gidMappings?.length ? fromLists(mount) : fromWord(options)
  if (!asked) return undefined
  return {
    uids: ranges(asked.uids, linux.uidMappings, `${path}.uidMappings`),
    gids: ranges(asked.gids, linux.gidMappings, `${path}.gidMappings`),
  }

  function fromWord({ idmapText }: MountOptions): Asked | undefined {
    if (idmapText === undefined) return undefined
    const parsed = parseMountMaps(idmapText)
    if (parsed) return parsed
    throw new KeelsonError('INVALID_ARGUMENT', `${path}.options: idmap ${shown(idmapText)} cannot be read`, {
      path: `${path}.options`,
      hint: 'write idmap=uids=FROM-TO-SIZE#…;gids=FROM-TO-SIZE#…',
    })
  }
}

type Asked = Partial<Record<keyof IdMaps, MountRanges>>

function fromLists({ uidMappings, gidMappings }: Mount): Asked {
  const list = (mappings: IdMapping[] | undefined) =>
    mappings?.length ? { relative: false, mappings } : undefined
  const [uids, gids] = [list(uidMappings), list(gidMappings)]
  return { ...(uids ? { uids } : {}), ...(gids ? { gids } : {}) }
}

/** The kind of ids that is not named follows the container. */
function ranges(asked: MountRanges | undefined, own: IdMapping[] | undefined, path: string): IdMapping[] {
  if (!asked && !own?.length)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: a map needs both kinds of ids`, {
      path,
      hint: 'give ranges for users and for groups',
    })
  const mappings = asked?.relative ? relativeTo(own ?? [], asked.mappings) : (asked?.mappings ?? own)
  if (!mappings)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: the container does not map all of these ids`, {
      path,
      hint: 'stay within one range of linux.uidMappings or linux.gidMappings',
    })
  checkIdMappings(mappings, path)
  return mappings
}
