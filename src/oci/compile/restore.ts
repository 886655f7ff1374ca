import { join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { MS } from '../mount-options.ts'
import { CLONE, noBytes, OPEN, overlayFlags, words } from '../plan/constants.ts'
import { noFd, type Operation } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import type { Rootfs } from '../runtime.ts'
import { restoreFiles } from '../state/record.ts'
import { limitLate, makeCgroup } from './cgroup.ts'
import type { CompiledPlan } from './create.ts'
import { compileLife } from './life.ts'
import type { CompileRequest } from './request.ts'

/** What a plan of a restore needs to know of criu; its command line depends on what the plan makes for it. */
export interface RestoreProgram {
  path: string
  environment: readonly string[]
  args(made: MadeForCriu): string[]
  /** Whether a detached mount is of a file. */
  isFile(fd: number): boolean
}

export interface MadeForCriu {
  root: string
  pidFile: string
  /** Where mounts of the container whose source is no path are attached, by destination. */
  mounts: Readonly<Record<string, string>>
  /** Descriptors of criu by the kind of namespace that is joined. */
  namespaces: readonly (readonly [kind: string, fd: number])[]
}

const firstDescriptor = 3

/**
 * The plan that makes a container by criu: keelson-init makes groups, pipes and sockets as for any other, its child mounts
 * what criu needs in a mount namespace that ends with criu, and becomes criu. A pure function.
 */
export function compileRestore(request: CompileRequest, program: RestoreProgram): CompiledPlan {
  const { cgroup } = request
  const slots = new Slots()
  const directory = slots.inherit(request.directoryFd)
  const lock = slots.inherit(request.lockFd)
  const joined = Object.entries(request.namespaceFds).map(
    ([kind, fd]) => [procKinds[kind] ?? kind, slots.inherit(fd)] as const,
  )
  const mounts = sourcesOf(request, slots, program)
  const life = compileLife(request, slots, directory)
  const root = join(request.directory, restoreFiles.root)
  const pidFile = join(request.directory, restoreFiles.pid)
  const args = program.args({
    root,
    pidFile,
    mounts: Object.fromEntries(mounts.map(({ destination, place }) => [destination, place])),
    namespaces: joined.map(([kind], index) => [kind, firstDescriptor + index]),
  })
  const [stdin, stdout, stderr] = life.stdio
  return {
    inherited: slots.inherited,
    plan: {
      parent: [
        ...life.first,
        { op: 'makeDirectory', path: root, mode: 0o700 },
        ...mounts.flatMap(({ place, isFile }) => makePlace(place, isFile, slots)),
        ...life.beforeClone,
        ...makeCgroup(cgroup, 'v2'),
        ...makeCgroup(cgroup, 'v1'),
        { op: 'clone', flags: CLONE.NEWNS, cgroup: noFd },
        ...life.afterClone,
        { op: 'adoptRestored', program: program.path, pidFile },
        { op: 'recordProcess', directory, name: 'pid' },
        ...limitLate(cgroup),
        { op: 'reportCreated' },
        { op: 'awaitCommit' },
        { op: 'closeSlot', slot: lock },
        ...life.last,
      ],
      child: [
        { op: 'setPropagation', flags: MS.SLAVE | MS.REC },
        ...mounts.flatMap(({ make, tree, place }): Operation[] => [
          ...make,
          { op: 'rootTree', tree },
          { op: 'attachRoot', place },
        ]),
        rootOf(request.rootfs),
        { op: 'attachRoot', place: root },
        { op: 'placeStdio', stdin, stdout, stderr },
        {
          op: 'keepDescriptors',
          slots: words(joined.map(([, slot]) => slot)),
          later: noBytes,
          listener: noFd,
        },
        { op: 'findProgram', name: program.path, path: '' },
        { op: 'execute', args: [program.path, ...args], env: program.environment },
      ],
    },
  }
}

/** In criu's words. */
const procKinds: Readonly<Record<string, string>> = { network: 'net', mount: 'mnt' }

/** Detached trees, and stacks of layers, are no paths: criu finds them where they are attached for it. */
function sourcesOf(
  { directory, mountFds, layerMounts = {} }: CompileRequest,
  slots: Slots,
  { isFile }: RestoreProgram,
) {
  const trees = Object.entries(mountFds).map(([destination, fd]) => ({
    destination,
    make: [] as Operation[],
    tree: slots.inherit(fd),
    isFile: isFile(fd),
  }))
  const stacks = Object.entries(layerMounts).map(([destination, { lower, path = '' }]) => {
    const tree = slots.allocate()
    const make: Operation = { op: 'layersTree', lower, path, flags: 0, userNamespace: noFd, to: tree }
    return { destination, make: [make], tree, isFile: false }
  })
  return [...trees, ...stacks].map((source, index) => ({
    ...source,
    place: join(directory, `${restoreFiles.mount}${index}`),
  }))
}

function makePlace(path: string, isFile: boolean, slots: Slots): Operation[] {
  if (!isFile) return [{ op: 'makeDirectory', path, mode: 0o700 }]
  const slot = slots.allocate()
  return [
    { op: 'openPath', path, flags: OPEN.WRONLY | OPEN.CREAT, to: slot },
    { op: 'closeSlot', slot },
  ]
}

function rootOf(rootfs: Rootfs | undefined): Operation {
  if (rootfs?.kind === 'directory') return { op: 'rootDirectory', path: rootfs.path }
  if (!rootfs)
    throw new KeelsonError('INVALID_ARGUMENT', 'a restore needs a root file system', { path: 'root.path' })
  const { lower, upper, work, volatile } = rootfs
  return { op: 'rootOverlay', lower, upper, work, flags: volatile ? overlayFlags.volatile : 0 }
}
