import type { CheckpointOptions, CriuOptions, RestoreOptions } from './options.ts'

/** What criu is told about a container beside the options; all of it comes from the record, the spec and procfs. */
export interface DumpFacts {
  pid: number
  /** Directory of the v1 freezer or of the v2 cgroup. */
  freezer: string | undefined
  /** Destinations of mounts whose other side lies outside of the container. */
  externalMounts: readonly string[]
  /** Namespaces that are somebody else's: only they can be joined again. */
  externalNamespaces: readonly { kind: 'net' | 'pid'; inode: bigint }[]
  /** Descriptors that lead out of the container: `file[mount:inode]`. */
  externalFiles: readonly string[]
  /** A configuration file of criu's own. */
  config: string | undefined
}

export interface RestoreFacts {
  /** The root file system, a mount. */
  root: string
  pidFile: string
  /** Destination in the container and source on the host. */
  externalMounts: readonly (readonly [destination: string, source: string])[]
  /** Descriptors of criu's process and what they take the place of. */
  inherited: readonly (readonly [fd: number, key: string])[]
  /** Namespaces of other kinds to join, by file. */
  joined: readonly (readonly [kind: string, path: string])[]
  /** Where the tasks go: a path below each v1 controller, and the default for v2. */
  cgroups: readonly { controller: string; path: string }[]
  config: string | undefined
  /** The caller waits for it: it has to be our child. */
  sibling: boolean
}

/** The name by which a namespace that is not the container's own is known in the images. */
export const namespaceKey = (kind: 'net' | 'pid') => (kind === 'net' ? 'extRootNetNS' : 'extRootPidNS')

export function dumpArguments(options: CheckpointOptions, facts: DumpFacts): string[] {
  const { parentPath, pageServer } = options
  return [
    options.preDump ? 'pre-dump' : 'dump',
    ...common(options, 'dump.log', facts.config),
    '--tree',
    String(facts.pid),
    ...flag('--leave-running', options.leaveRunning),
    ...flag('--link-remap', options.linkRemap),
    ...flag('--skip-in-flight', options.tcpSkipInFlight),
    ...(parentPath === undefined ? [] : ['--prev-images-dir', parentPath, '--track-mem']),
    ...(parentPath === undefined && options.preDump ? ['--track-mem'] : []),
    ...(pageServer ? pageServerArguments(pageServer, options.lazyPages === true) : []),
    ...(options.statusFd === undefined ? [] : ['--status-fd', String(options.statusFd)]),
    ...(facts.freezer === undefined ? [] : ['--freeze-cgroup', facts.freezer]),
    ...facts.externalMounts.flatMap((path) => ['--external', `mnt[${path}]:${path}`]),
    ...facts.externalNamespaces.flatMap(({ kind, inode }) => [
      '--external',
      `${kind}[${inode}]:${namespaceKey(kind)}`,
    ]),
    ...facts.externalFiles.flatMap((key) => ['--external', key]),
  ]
}

/** With lazy pages we are the server that is asked for them; otherwise they go to one that waits. */
function pageServerArguments({ address, port }: { address: string; port: number }, lazy: boolean): string[] {
  return [...(lazy ? [] : ['--page-server']), '--address', address, '--port', String(port)]
}

export function restoreArguments(options: RestoreOptions, facts: RestoreFacts): string[] {
  const { lsmProfile, lsmMountContext } = options
  return [
    'restore',
    ...common(options, 'restore.log', facts.config),
    '--restore-detached',
    ...flag('--restore-sibling', facts.sibling),
    '--root',
    facts.root,
    '--pidfile',
    facts.pidFile,
    ...(lsmProfile === undefined ? [] : ['--lsm-profile', lsmProfile]),
    ...(lsmMountContext === undefined ? [] : ['--lsm-mount-context', lsmMountContext]),
    ...facts.externalMounts.flatMap(([path, source]) => ['--external', `mnt[${path}]:${source}`]),
    ...facts.inherited.flatMap(([fd, key]) => ['--inherit-fd', `fd[${fd}]:${key}`]),
    ...facts.joined.flatMap(([kind, path]) => ['--join-ns', `${kind}:${path}`]),
    ...facts.cgroups.flatMap(({ controller, path }) => [
      '--cgroup-root',
      controller === '' ? path : `${controller}:${path}`,
    ]),
  ]
}

function common(options: CriuOptions, log: string, config: string | undefined): string[] {
  return [
    '--images-dir',
    options.imagePath,
    ...(options.workPath === undefined ? [] : ['--work-dir', options.workPath]),
    '--log-file',
    log,
    '-v4',
    `--manage-cgroups=${options.manageCgroups ?? 'soft'}`,
    ...(config === undefined ? [] : ['--config', config]),
    ...flag('--tcp-established', options.tcpEstablished),
    ...flag('--ext-unix-sk', options.externalUnixSockets),
    ...flag('--shell-job', options.shellJob),
    ...flag('--file-locks', options.fileLocks),
    ...flag('--lazy-pages', options.lazyPages),
    ...flag('--auto-dedup', options.autoDedup),
    ...(options.emptyNamespace ? ['--empty-ns', 'net'] : []),
  ]
}

const flag = (name: string, isSet: boolean | undefined): string[] => (isSet ? [name] : [])
