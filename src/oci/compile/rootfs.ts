import { join, resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { MS, rootfsPropagation } from '../mount-options.ts'
import { O_DIRECTORY, O_PATH, overlayFlags } from '../plan/constants.ts'
import { noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import { shown } from '../shown.ts'
import { recordFiles } from '../state/record.ts'
import { compileDevices } from './devices.ts'
import { HostTrees } from './host-trees.ts'
import { checkMountLabel } from './labels.ts'
import { compileMounts } from './mounts.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'

export interface RootfsPlan {
  /** What is taken from the host before the clone, and let go of after it. */
  open: Operation[]
  close: Operation[]
  /** Root, mounts, devices: the host's files are still there. */
  mount: Operation[]
  /** The switch to it, and what is hidden or read-only in it. */
  enter: Operation[]
}

export function compileRootfs(
  request: CompileRequest,
  slots: Slots,
  namespaces: NamespacePlan,
  directory: number,
): RootfsPlan {
  const { spec, privileges } = request
  const { linux = {} } = spec
  if (namespaces.joinsMount) return joinedRoot(request, namespaces)
  checkMountLabel(linux.mountLabel, request.host)
  const propagation = rootfsPropagation(linux.rootfsPropagation)
  const trees = new HostTrees(request, slots, namespaces, treePropagation(propagation))
  const mount: Operation[] = [
    ...separateFromHost(request, propagation),
    ...root(request, trees),
    { op: 'attachRoot', place: trees.holdsAll ? '' : placeOf(request) },
    ...compileMounts(request, slots, namespaces, trees),
    ...(request.holds ? [] : compileDevices(spec, namespaces.user === 'none' && privileges.isRoot)),
  ]
  const enter: Operation[] = [
    // After the hooks, which may have to write below it.
    ...(spec.root?.readonly ? [{ op: 'readonlyRoot' } as const] : []),
    request.noPivot ? { op: 'moveRoot' } : { op: 'pivotRoot' },
    ...names(spec, namespaces),
    // Before the paths below are covered: the writes refuse to cross a mount.
    ...settings(spec),
    ...(linux.readonlyPaths ?? []).map((path): Operation => ({ op: 'readonlyPath', path })),
    ...(linux.maskedPaths ?? []).map((path): Operation => ({ op: 'maskPath', path })),
    // Last: an unbindable mount could not be covered by clones of itself any more.
    ...(propagation === undefined ? [] : [{ op: 'setPropagation', flags: propagation } as const]),
  ]
  const { open, close } = trees
  if (!trees.holdsAll) return { open, close, mount, enter }
  const stand = standAtPlace(request, slots, directory)
  return { open: [...open, ...stand.before], close: [...stand.after, ...close], mount, enter }
}

/** The namespace that is joined has its root and its mounts; only what is not a mount is set. */
function joinedRoot({ spec }: CompileRequest, namespaces: NamespacePlan): RootfsPlan {
  const enter = [...names(spec, namespaces), ...settings(spec)]
  return { open: [], close: [], mount: [{ op: 'rootTree', tree: noFd }], enter }
}

/** The place where the root is attached may be nothing that the container's user could walk to. */
function standAtPlace(request: CompileRequest, slots: Slots, directory: number) {
  const place = placeOf(request)
  const after: Operation[] = [{ op: 'standIn', directory: noFd }]
  if (place === request.directory)
    return { before: [{ op: 'standIn', directory } satisfies Operation], after }
  const slot = slots.allocate()
  const before: Operation[] = [
    { op: 'openPath', path: place, flags: O_PATH | O_DIRECTORY, to: slot },
    { op: 'standIn', directory: slot },
  ]
  return { before, after: [...after, { op: 'closeSlot', slot } satisfies Operation] }
}

function settings({ linux }: CompileRequest['spec']): Operation[] {
  return Object.entries(linux?.sysctl ?? {}).map(
    ([name, value]): Operation => ({ op: 'writeSysctl', name: sysctlPath(name), value }),
  )
}

/** Of a tree that is cloned from the host's mount namespace: what the container's own copy of it would have. */
function treePropagation(propagation = 0): number {
  return (propagation & MS.SHARED) === 0 ? MS.SLAVE | MS.REC : 0
}

/**
 * Any directory will do that covers nothing we still need. With hooks it is the one of the configuration: by its path
 * they find the container's root, and what they mount there has to be mounted in it.
 */
function placeOf(request: CompileRequest): string {
  const { prestart = [], createRuntime = [], createContainer = [] } = request.spec.hooks ?? {}
  const hooked = prestart.length + createRuntime.length + createContainer.length > 0
  const path = hooked ? rootPath(request) : undefined
  if (path !== undefined) return path
  return request.notify ? join(request.directory, recordFiles.root) : request.directory
}

/**
 * Slaves: what the host mounts later arrives, nothing of ours goes back. With a shared root file system the volumes
 * have to stay peers of the host's mounts, so only what our own mounts hang on is cut off.
 */
function separateFromHost(request: CompileRequest, propagation = 0): Operation[] {
  if ((propagation & MS.SHARED) === 0) return [{ op: 'setPropagation', flags: MS.SLAVE | MS.REC }]
  const places = [request.directory, rootPath(request)].filter((path) => path !== undefined)
  return places.map((path) => ({ op: 'privateMount', path }))
}

function rootPath({ rootfs, spec, bundle }: CompileRequest): string | undefined {
  const path = rootfs?.kind === 'overlay' ? undefined : (rootfs?.path ?? spec.root?.path)
  return path ? resolve(bundle, path) : undefined
}

function root(request: CompileRequest, trees: HostTrees): Operation[] {
  const { rootfs } = request
  if (rootfs?.kind === 'overlay') {
    if (trees.holdsAll) return trees.overlay(rootfs)
    const { lower, upper, work, volatile } = rootfs
    return [{ op: 'rootOverlay', lower, upper, work, flags: volatile ? overlayFlags.volatile : 0 }]
  }
  const path = rootPath(request)
  if (!path) throw new KeelsonError('INVALID_ARGUMENT', 'root.path is missing', { path: 'root.path' })
  return trees.holdsAll ? trees.root(path) : [{ op: 'rootDirectory', path }]
}

function names({ hostname, domainname }: CompileRequest['spec'], namespaces: NamespacePlan): Operation[] {
  if (!namespaces.has('uts')) {
    if (hostname === undefined && domainname === undefined) return []
    throw new KeelsonError('INVALID_ARGUMENT', 'a host name needs a uts namespace', {
      path: hostname === undefined ? 'domainname' : 'hostname',
      hint: 'add { "type": "uts" } to linux.namespaces',
    })
  }
  return [
    ...(hostname === undefined ? [] : [{ op: 'setHostname', name: hostname } as const]),
    ...(domainname === undefined ? [] : [{ op: 'setDomainname', name: domainname } as const]),
  ]
}

/** `net.ipv4.ip_forward` and `net/ipv4/conf/eth0.1/forwarding` alike: the first separator decides (sysctl(8)). */
function sysctlPath(name: string): string {
  const separator = /[./]/.exec(name)?.[0]
  const path = separator === '.' ? name.replace(/[./]/g, (one) => (one === '.' ? '/' : '.')) : name
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new KeelsonError('INVALID_ARGUMENT', `sysctl name ${shown(name)} is not usable`, {
      path: `linux.sysctl[${shown(name)}]`,
    })
  return path
}
