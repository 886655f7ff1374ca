import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { hostIdOf, type IdMaps, idMapText } from '../id-mappings.ts'
import type { MountOptions } from '../mount-options.ts'
import { overlayFlags, treeFlags } from '../plan/constants.ts'
import { noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { LayerStack, Rootfs } from '../runtime.ts'
import type { Mount } from '../spec.ts'
import { mountMaps } from './mount-maps.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'

/**
 * What keelson-init takes from the host before the clone, with the rights it has there (native/init/trees.c): the
 * root and the binds of a container in a user namespace, and every mount with a map of ids.
 */
export class HostTrees {
  /** For the parent's list, before the clone and after it. */
  readonly open: Operation[] = []
  readonly close: Operation[] = []
  readonly #request: CompileRequest
  readonly #slots: Slots
  readonly #namespaces: NamespacePlan
  readonly #mapSlots = new Map<string, number>()
  readonly #propagation: number

  constructor(request: CompileRequest, slots: Slots, namespaces: NamespacePlan, propagation: number) {
    this.#request = request
    this.#slots = slots
    this.#namespaces = namespaces
    this.#propagation = propagation
  }

  /** An ordinary user has no such rights; its container's root is the user itself, who needs none. */
  get holdsAll(): boolean {
    return this.#namespaces.user !== 'none' && this.#request.privileges.isRoot
  }

  root(path: string): Operation[] {
    return [{ op: 'rootTree', tree: this.#tree(path, treeFlags.recursive, noFd) }]
  }

  /** The layers are mapped, so that files of the host's root belong to the container's. */
  overlay({ lower, upper, work, volatile }: Extract<Rootfs, { kind: 'overlay' }>): Operation[] {
    const base = commonFolder(upper, work)
    const { uidMappings = [], gidMappings = [] } = this.#request.spec.linux ?? {}
    const [uid, gid] = [hostIdOf(uidMappings, 0), hostIdOf(gidMappings, 0)]
    if (uid === undefined || gid === undefined)
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        'an overlay needs to know who is root in the user namespace',
        {
          path: 'linux.uidMappings',
          hint: 'map uid 0 and gid 0, also where the namespace is joined',
        },
      )
    this.open.push({
      op: 'overlayTree',
      lower,
      base,
      upper: posix.relative(base, upper),
      work: posix.relative(base, work),
      flags: volatile ? overlayFlags.volatile : 0,
      userNamespace: this.containerMap('root'),
      uid,
      gid,
    })
    return []
  }

  /** The slot of the source's tree; undefined when the child may take the source by itself. */
  bind(source: string, mount: Mount, options: MountOptions, path: string): number | undefined {
    const isMapped = isIdmapped(mount, options)
    if (!isMapped && (!this.holdsAll || options.copySymlink)) return undefined
    const flags =
      (options.recursiveBind ? treeFlags.recursive : 0) |
      (options.sourceNofollow ? treeFlags.nofollow : 0) |
      mapDepth(mount, options)
    return this.#tree(source, flags, this.#mapOf(mount, options, path))
  }

  /** A tree that was handed in gets its map the same way. */
  handedIn(slot: number, mount: Mount, options: MountOptions, path: string): number {
    const userNamespace = this.#mapOf(mount, options, path)
    const flags = mapDepth(mount, options)
    if (userNamespace !== noFd)
      this.open.push({ op: 'openTree', source: '', flags, propagation: 0, userNamespace, to: slot })
    return slot
  }

  /** The slot of a stack of layers. In a user namespace it has the container's map, unless the mount has its own. */
  layers(
    { lower, path: inside = '' }: LayerStack,
    mount: Mount,
    options: MountOptions,
    path: string,
  ): number {
    const isMapped = isIdmapped(mount, options) || !this.holdsAll
    const userNamespace = isMapped ? this.#mapOf(mount, options, path) : this.containerMap(path)
    const to = this.#slots.allocate()
    this.open.push({ op: 'layersTree', lower, path: inside, flags: 0, userNamespace, to })
    this.close.push({ op: 'closeSlot', slot: to })
    return to
  }

  /** A slot with a user namespace that has the container's map. */
  containerMap(path: string): number {
    if (this.#namespaces.joinedUser !== undefined) return this.#namespaces.joinedUser
    const { uidMappings = [], gidMappings = [] } = this.#request.spec.linux ?? {}
    if (this.#namespaces.user === 'new') return this.#map({ uids: uidMappings, gids: gidMappings })
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: there is no user namespace to take the map from`, {
      path,
      hint: 'add uidMappings and gidMappings, or a user namespace',
    })
  }

  #mapOf(mount: Mount, options: MountOptions, path: string): number {
    if (!isIdmapped(mount, options)) return noFd
    if (!this.#request.privileges.isRoot)
      throw new KeelsonError('PERMISSION_DENIED', `${path}: only root can give a mount a map of ids`, {
        path,
        hint: 'leave idmap out, or run as root',
      })
    const maps = mountMaps(mount, options, this.#request.spec.linux ?? {}, path)
    return maps ? this.#map(maps) : this.containerMap(path)
  }

  /** One for each different map, however many mounts have it. */
  #map({ uids, gids }: IdMaps): number {
    const [uidMap, gidMap] = [idMapText(uids), idMapText(gids)]
    const key = `${uidMap}/${gidMap}`
    const known = this.#mapSlots.get(key)
    if (known !== undefined) return known
    const to = this.#slots.allocate()
    this.#mapSlots.set(key, to)
    this.open.push({
      op: 'makeUserNamespace',
      uidMap: Buffer.from(uidMap),
      gidMap: Buffer.from(gidMap),
      to,
    })
    this.close.push({ op: 'closeSlot', slot: to })
    return to
  }

  #tree(source: string, flags: number, userNamespace: number): number {
    const to = this.#slots.allocate()
    this.open.push({ op: 'openTree', source, flags, propagation: this.#propagation, userNamespace, to })
    this.close.push({ op: 'closeSlot', slot: to })
    return to
  }
}

function isIdmapped(mount: Mount, { idmap }: MountOptions): boolean {
  return idmap !== undefined || (mount.uidMappings?.length ?? 0) + (mount.gidMappings?.length ?? 0) > 0
}

/** Without a word of its own a map reaches as deep as the bind. */
function mapDepth(mount: Mount, options: MountOptions): number {
  if (!isIdmapped(mount, options)) return 0
  const deep = options.idmap === undefined ? options.recursiveBind : options.idmap === 'ridmap'
  return deep ? treeFlags.recursiveMap : 0
}

function commonFolder(one: string, other: string): string {
  const [a, b] = [posix.normalize(one).split('/'), posix.normalize(other).split('/')]
  const end = a.findIndex((name, index) => name !== b[index])
  const same = end < 0 ? a.length - 1 : end
  return a.slice(0, same).join('/') || '/'
}
