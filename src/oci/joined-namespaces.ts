import { closeSync, openSync } from 'node:fs'
import { asKeelsonError, type Cleanup, KeelsonError } from '../base/index.ts'
import { namespaceType } from '../kernel/index.ts'
import { namespaceFlags } from './compile/namespaces.ts'
import type { CreateRequest, NamespaceType } from './runtime.ts'

/**
 * Opens the namespaces that a specification gives as paths; descriptors handed in win over them. INVALID_ARGUMENT
 * where one is not of the type that it is said to be: entering it would confine something else, or nothing.
 */
export function openNamespaces(
  request: CreateRequest,
  opened: Cleanup,
): Partial<Record<NamespaceType, number>> {
  const fds = { ...request.namespaceFds }
  request.spec.linux?.namespaces?.forEach(({ type, path }, index) => {
    const at = `linux.namespaces[${index}].path`
    const kind = type as NamespaceType
    if (path && fds[kind] === undefined) fds[kind] = open(path, at, opened)
    const fd = fds[kind]
    if (fd !== undefined) checkType(fd, kind, path ?? `descriptor ${fd}`, at)
  })
  return fds
}

function open(path: string, at: string, opened: Cleanup): number {
  try {
    const fd = openSync(path, 'r')
    opened.defer(() => closeSync(fd))
    return fd
  } catch (error) {
    throw asKeelsonError(error, { op: 'create', path: at })
  }
}

function checkType(fd: number, wanted: NamespaceType, name: string, path: string): void {
  const found = namespaceType(fd)
  if (BigInt(found) === namespaceFlags[wanted]) return
  const [other] = Object.entries(namespaceFlags).find(([, flag]) => flag === BigInt(found)) ?? []
  const what = other === undefined ? 'no namespace' : `a namespace of type ${other}`
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${name} is ${what}, not of type ${wanted}`, {
    path,
    hint: `write a path such as /proc/PID/ns/${procNames[wanted]}`,
  })
}

const procNames: Readonly<Record<NamespaceType, string>> = {
  user: 'user',
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  mount: 'mnt',
  cgroup: 'cgroup',
  time: 'time',
}
