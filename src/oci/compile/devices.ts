import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { parseMountOptions } from '../mount-options.ts'
import type { Operation } from '../plan/operations.ts'
import { shown } from '../shown.ts'
import type { Device, Spec } from '../spec.ts'

const characterDevice = 0o020000
const modeByType: Readonly<Record<string, number>> = {
  c: characterDevice,
  u: characterDevice,
  b: 0o060000,
  p: 0o010000,
}

/** config-linux.md, "Default Devices". */
const defaultDevices: readonly [string, number, number][] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
]

/** runtime-linux.md, "Dev symbolic links"; ptmx because the container's devpts is an instance of its own. */
const defaultLinks: readonly [string, string][] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
]

/** Nodes and links of /dev; nothing where the host's own /dev is bound there. */
export function compileDevices({ mounts = [], linux = {} }: Spec, mayMakeNodes: boolean): Operation[] {
  const onDev = mounts.filter(({ destination }) => posix.normalize(`/${destination}/`) === '/dev/')
  if (onDev.some(({ type, options }) => type === 'bind' || parseMountOptions(options).bind)) return []
  const place = (made: NodeOperation) => (mayMakeNodes ? made : boundNode(made))
  const own = linux.devices ?? []
  const named = new Set(own.map(({ path }) => posix.normalize(path)))
  return [
    // Made in the image itself, which may have anything there.
    ...(onDev.length === 0 ? [{ op: 'realDirectory', path: '/dev' } as const] : []),
    ...defaultDevices
      .filter(([path]) => !named.has(path))
      .map(([path, major, minor]) => node(path, characterDevice | 0o666, major, minor))
      .map(place),
    ...own.map(compileDevice).map(place),
    ...defaultLinks.map(([path, target]): Operation => ({ op: 'makeLink', path, target })),
  ]
}

type NodeOperation = Extract<Operation, { op: 'makeNode' }>
const typeMask = 0o170000

/** A user namespace may make pipes and no devices: those are the host's own. */
function boundNode(made: NodeOperation): Operation {
  const type = made.mode & typeMask
  const { path, major, minor } = made
  return type === modeByType['p'] ? made : { op: 'bindNode', path, type, major, minor }
}

function compileDevice(device: Device, index: number): NodeOperation {
  const type = modeByType[device.type]
  if (type === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `device type ${shown(device.type)} is unknown`, {
      path: `linux.devices[${index}].type`,
      hint: 'use c, b, u or p',
    })
  const { path, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } = device
  return { ...node(path, type | (fileMode & 0o7777), major, minor), uid, gid }
}

function node(path: string, mode: number, major: number, minor: number): NodeOperation {
  return { op: 'makeNode', path, mode, major, minor, uid: 0, gid: 0 }
}
