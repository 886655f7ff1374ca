import type { Readable, Writable } from 'node:stream'
import type { ContainerStats } from './cgroup/stats.ts'
import type { CheckpointOptions, RestoreOptions } from './criu/options.ts'
import type { LinuxResources, Process, Spec } from './spec.ts'

/**
 * The runtime as a library: what `keelson/oci` promises and what src/pod stands on. Every method that waits takes
 * a signal. All of it is safe to call again after a crash: state lives under the state root, and a container is
 * found again by its id. Errors are KeelsonError (or SyscallError with call, errno, path).
 */
export interface Runtime extends AsyncDisposable {
  /** Makes everything up to the moment before the user's program: afterwards the status is `created`. */
  create(request: CreateRequest): Promise<Container>
  /**
   * Makes a container from the images of a checkpoint, running, with keelson-init as its monitor. The specification is the
   * new container's; of the old one there are only its processes.
   */
  restore(request: RestoredCreate): Promise<Container>
  /** NOT_FOUND when there is no such container. */
  get(id: string): Promise<Container>
  find(id: string): Promise<Container | undefined>
  list(): Promise<Container[]>
  /** As `delete` of the container. Forced, a missing one is fine, and what a killed create left of it goes. */
  remove(id: string, options?: { force?: boolean }): Promise<void>
  /**
   * Ends the one process that is kept ready to start the next container; it otherwise ends with this process or
   * after an idle minute. Containers are untouched, and the runtime stays usable.
   */
  [Symbol.asyncDispose](): Promise<void>
}

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/** Where the root filesystem comes from. An overlay is mounted inside the container's own mount namespace only. */
export type Rootfs =
  | { kind: 'directory'; path: string }
  /** `lower`: layer directories, topmost first. */
  | { kind: 'overlay'; lower: readonly string[]; upper: string; work: string; volatile?: boolean }

/** Layer directories, topmost first, seen as one read-only tree; of that the part at `path`, which no link leaves. */
export interface LayerStack {
  lower: readonly string[]
  path?: string
}

export type NamespaceType = 'pid' | 'network' | 'ipc' | 'uts' | 'mount' | 'user' | 'cgroup' | 'time'

export interface CreateRequest {
  id: string
  spec: Spec
  /** Directory that relative paths of the spec are resolved against; shown in the state. */
  bundle: string
  /** Takes the place of `spec.root.path`. */
  rootfs?: Rootfs
  /** Open namespace descriptors to join; each takes the place of `spec.linux.namespaces[].path`. Borrowed. */
  namespaceFds?: Partial<Record<NamespaceType, number>>
  /** Detached mount trees (open_tree) by destination, for mounts of the spec whose source is a descriptor. Borrowed. */
  mountFds?: Readonly<Record<string, number>>
  /** Stacks of layers by destination, for mounts of the spec whose source they are. */
  layerMounts?: Readonly<Record<string, LayerStack>>
  life: MonitoredLife | DetachedLife | ForegroundLife
  /**
   * In place of a program keelson-init itself stays as the first process, for namespaces that others join: it has
   * nothing open, reaps orphans, and ends on SIGTERM. No devices are made. `process.args` is not looked at.
   */
  holds?: boolean
  /** Stay in the caller's session keyring instead of a new one. */
  keepSessionKeyring?: boolean
  /** Switch the root by MS_MOVE and chroot(2), for hosts that run from a ramdisk, which cannot be pivoted away. */
  noPivot?: boolean
  /** Listening Unix socket that receives a pidfd of the container's first process (SCM_RIGHTS). */
  pidfdSocket?: string
  /** `NAME=value` for the program, in place of what the specification says of these names; not part of `spec()`. */
  environment?: readonly string[]
  /** Gives the container a socket to tell that it is ready (sd_notify); `start` forwards that. */
  notify?: boolean
  signal?: AbortSignal
}

export interface RestoredCreate extends Omit<CreateRequest, 'holds' | 'notify' | 'noPivot' | 'pidfdSocket'> {
  life: MonitoredLife
  /** `programPath`: where criu finds the programs that it runs itself, as in PATH. */
  checkpoint: RestoreOptions & { criu: string; programPath: string }
}

/** keelson-init stays as monitor: exit record, log, attach, resize. It outlives this process. */
export interface MonitoredLife {
  kind: 'monitored'
  /** CRI log file (`<RFC3339Nano> <stream> <P|F> <content>`); without it output goes to attachers only. */
  logPath?: string
  /** Keep stdin open for attachers; otherwise it is /dev/null. */
  stdin?: boolean
  /** Close stdin when the first attacher that wrote goes away. */
  stdinOnce?: boolean
}

/** No process of ours stays: the container gets these descriptors (or a pty) and the caller's subreaper. */
export interface DetachedLife {
  kind: 'detached'
  /** Descriptors to become 0, 1, 2; default the caller's own. */
  stdio?: readonly [number, number, number]
  /** Unix socket that receives the pty master when `process.terminal` is set. */
  consoleSocket?: string
  /** Descriptors 3 … 3+n-1 of the caller handed through. */
  preserveFds?: number
}

/**
 * keelson-init stays as the container's parent as long as this process lives, and ends with it: `wait` on the
 * container that `create` returned gives the exit. With `process.terminal`, `attach` gives the pty's streams and
 * `resize` its size; otherwise the descriptors are handed through.
 */
export interface ForegroundLife {
  kind: 'foreground'
  /** Descriptors to become 0, 1, 2; default the caller's own. */
  stdio?: readonly [number, number, number]
  preserveFds?: number
  /** Adopt what the container's processes leave behind, instead of the caller's subreaper. Default true. */
  subreaper?: boolean
}

export interface Exit {
  /** 0–255; 128 + signal when killed by a signal. */
  exitCode: number
  signal?: number
  oomKilled: boolean
  /** Nanoseconds since the epoch. */
  finishedAtNs: bigint
  /** Set when the exit was inferred: the monitor was lost, or only another process was told the code. */
  reason?: 'MonitorLost' | 'NotOurChild'
}

export interface ContainerState {
  ociVersion: string
  id: string
  status: Status
  /** 0 unless created, running or paused. */
  pid: number
  bundle: string
  /** Absolute path of the root file system's directory; absent for an overlay. */
  rootfs?: string
  annotations: Record<string, string>
  createdAtNs: bigint
  startedAtNs?: bigint
  exit?: Exit
}

export interface Container {
  readonly id: string
  state(): Promise<ContainerState>
  /** The configuration as it was given to `create`; the bundle's file may have changed since. */
  spec(): Promise<Spec>
  /**
   * FAILED_PRECONDITION unless created. Fails with the exec error when the program cannot be started, and when a
   * poststart hook fails, which ends the container.
   */
  start(options?: StartOptions): Promise<void>
  /** To the init process, or with `all` to every process of the container's cgroup. */
  kill(signal: number | string, options?: { all?: boolean }): Promise<void>
  /** Resolves when the container has stopped, at once if it has. Monitored containers only know their exit code. */
  wait(options?: { signal?: AbortSignal }): Promise<Exit>
  /** Releases everything. FAILED_PRECONDITION while it runs, unless forced. Works from any crash point. */
  delete(options?: { force?: boolean }): Promise<void>
  exec(request: ExecRequest): Promise<Execution>
  /** An exec in two steps: everything up to the moment before its program. */
  prepareExec(request: ExecRequest): Promise<PreparedExec>
  pids(): Promise<number[]>
  /**
   * Changes the limits that are named, of a container that is created, running or paused; the others stay, and so do
   * device rules. All or none. FAILED_PRECONDITION for a limit that this host cannot give.
   */
  update(resources: LinuxResources): Promise<void>
  /** What the container's cgroups have counted by now. */
  stats(): Promise<ContainerStats>
  /** Statistics at every interval (default 5000 ms), and out-of-memory kills as they happen; ends with the container. */
  events(options?: { intervalMs?: number; signal?: AbortSignal }): AsyncIterable<ContainerEvent>
  /** Freezes every process of the cgroup: `running` → `paused`. FAILED_PRECONDITION otherwise. */
  pause(): Promise<void>
  resume(): Promise<void>
  /**
   * Writes its processes to files by criu, and it goes on; one that is paused stays so. UNIMPLEMENTED without that
   * program.
   */
  checkpoint(options: CheckpointOptions & { criu: string }): Promise<void>
  /** After log rotation: opens the log path anew, answers after the switch. */
  reopenLog(): Promise<void>
  resize(size: TerminalSize): Promise<void>
  attach(options?: { signal?: AbortSignal }): Promise<Attachment>
}

export interface StartOptions {
  signal?: AbortSignal
  /** For a container that was created with `notify`. */
  notify?: {
    /** The manager's socket (NOTIFY_SOCKET): a path, or an abstract name after `@`. */
    socket: string
    /** Told as MAINPID; default: the container's first process. */
    mainPid?: number
    /** Resolve only when the container is ready or has ended. Default true. */
    wait?: boolean
  }
}

export type ContainerEvent = { type: 'stats'; stats: ContainerStats } | { type: 'oom' }

export interface TerminalSize {
  columns: number
  rows: number
}

export interface ExecRequest {
  process: Process
  /** `pipe` gives streams on the Execution; a triple hands over descriptors. With `process.terminal` stdout is the pty. */
  stdio: 'pipe' | readonly [number, number, number]
  /** Give the process a stdin pipe; otherwise /dev/null. */
  stdin?: boolean
  /** Descriptors 3 … 3+n-1 of the caller handed through. */
  preserveFds?: number
  /** Existing cgroups below the container's, `[controller,…:]path` each, for the process to be in. */
  cgroup?: readonly string[]
  /**
   * Nothing of ours stays: keelson-init is gone when `exec` resolves, and the process belongs to the caller's
   * subreaper. `wait` of the Execution is FAILED_PRECONDITION then. Needs a triple as stdio or a console socket.
   */
  detached?: { consoleSocket?: string }
  /** Listening Unix socket that receives a pidfd of the process (SCM_RIGHTS). */
  pidfdSocket?: string
  signal?: AbortSignal
}

/**
 * A process that is in the container, with everything set, and waits to become its program. It ends with this object
 * unless it is started.
 */
export interface PreparedExec extends AsyncDisposable {
  readonly pid: number
  /** FAILED_PRECONDITION the second time. Fails with the exec error when the program cannot be run. */
  start(): Promise<Execution>
  kill(signal: number | string): void
}

export interface Execution {
  readonly pid: number
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
  wait(options?: { signal?: AbortSignal }): Promise<{ exitCode: number; signal?: number }>
  kill(signal: number | string): void
  resize(size: TerminalSize): void
}

export interface Attachment extends AsyncDisposable {
  readonly stdin?: Writable
  readonly stdout: Readable
  /** Absent with a terminal. */
  readonly stderr?: Readable
}
