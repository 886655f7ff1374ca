import { isAbsolute, join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { MS, rootfsPropagation } from '../mount-options.ts'
import type { Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import { overlayFlags } from './constants.ts'
import { compileDevices } from './devices.ts'
import { compileMounts } from './mounts.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'
import { unsupported } from './unsupported.ts'

/** Root, mounts, devices, pivot, and what is hidden or read-only in it. */
export function compileRootfs(request: CompileRequest, slots: Slots, namespaces: NamespacePlan): Operation[] {
  const { spec } = request
  const { linux = {} } = spec
  const propagation = rootfsPropagation(linux.rootfsPropagation)
  if (propagation !== undefined && (propagation & MS.SHARED) !== 0)
    throw unsupported('a shared root file system', 'linux.rootfsPropagation')
  return [
    // Slaves: what the host mounts later arrives, nothing of ours goes back.
    { op: 'setPropagation', flags: propagation ?? MS.SLAVE | MS.REC },
    root(request),
    { op: 'attachRoot', place: request.directory },
    ...compileMounts(request, slots, namespaces.unshareCgroup),
    ...compileDevices(spec),
    ...(spec.root?.readonly ? [{ op: 'readonlyRoot' } as const] : []),
    { op: 'pivotRoot' },
    ...names(spec, namespaces),
    // Before the paths below are covered: the writes refuse to cross a mount.
    ...Object.entries(linux.sysctl ?? {}).map(
      ([name, value]): Operation => ({ op: 'writeSysctl', name: sysctlPath(name), value }),
    ),
    ...(linux.readonlyPaths ?? []).map((path): Operation => ({ op: 'readonlyPath', path })),
    ...(linux.maskedPaths ?? []).map((path): Operation => ({ op: 'maskPath', path })),
  ]
}

function root({ rootfs, spec, bundle }: CompileRequest): Operation {
  if (rootfs?.kind === 'overlay') {
    const { lower, upper, work, volatile } = rootfs
    return { op: 'rootOverlay', lower, upper, work, flags: volatile ? overlayFlags.volatile : 0 }
  }
  const path = rootfs?.path ?? spec.root?.path
  if (!path) throw new KeelsonError('INVALID_ARGUMENT', 'root.path is missing', { path: 'root.path' })
  return { op: 'rootDirectory', path: isAbsolute(path) ? path : join(bundle, path) }
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
    throw new KeelsonError('INVALID_ARGUMENT', `sysctl name ${JSON.stringify(name)} is not usable`, {
      path: `linux.sysctl[${JSON.stringify(name)}]`,
    })
  return path
}
