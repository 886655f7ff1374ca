/**
 * The operations of a plan: one line each, the same table as native/init/plan.h (a test compares them). A plan is
 * two ordered lists, for keelson-init (the parent) and for the container's first process (the child), that meet at
 * barriers. What an operation means is written where it is carried out, in native/init.
 *
 * `fd` is a slot: slot i is the i-th inherited descriptor, higher ones are filled by `newFd` arguments.
 */
export const operationTable = {
  leaveParent: { code: 1, args: { cgroup: 'fd' } },
  openPath: { code: 2, args: { path: 'string', flags: 'u32', to: 'newFd' } },
  makeDirectory: { code: 3, args: { path: 'string', mode: 'u32' } },
  writeFile: { code: 4, args: { path: 'string', data: 'bytes', flags: 'u32' } },
  replaceFile: { code: 5, args: { directory: 'fd', name: 'string', data: 'bytes' } },
  joinCgroup: { code: 6, args: { tasks: 'fd', path: 'string' } },
  listen: { code: 7, args: { directory: 'fd', name: 'string', to: 'newFd' } },
  makePipe: { code: 8, args: { read: 'newFd', write: 'newFd' } },
  clone: { code: 9, args: { flags: 'u64', cgroup: 'fd' } },
  signal: { code: 10, args: { barrier: 'u32' } },
  await: { code: 11, args: { barrier: 'u32' } },
  recordProcess: { code: 12, args: { directory: 'fd', name: 'string' } },
  reportCreated: { code: 13, args: {} },
  awaitCommit: { code: 14, args: {} },
  monitor: {
    code: 15,
    args: {
      directory: 'fd',
      listener: 'fd',
      stdin: 'fd',
      stdout: 'fd',
      stderr: 'fd',
      terminal: 'fd',
      oomFile: 'fd',
      log: 'fd',
      logPath: 'string',
      flags: 'u32',
    },
  },
  leave: { code: 16, args: {} },
  supervise: { code: 17, args: { orphanSignal: 'u32' } },
  enterProcess: { code: 18, args: { pidfd: 'fd', namespaces: 'u64' } },
  undumpable: { code: 19, args: {} },
  closeSlot: { code: 20, args: { slot: 'fd' } },
  receiveTerminal: { code: 21, args: { to: 'newFd' } },
  sendTerminal: { code: 22, args: { terminal: 'fd', socket: 'fd' } },
  newSession: { code: 23, args: {} },
  joinNamespace: { code: 24, args: { namespace: 'fd', type: 'u64' } },
  unshare: { code: 25, args: { flags: 'u64' } },
  setPropagation: { code: 26, args: { flags: 'u32' } },
  rootOverlay: { code: 27, args: { lower: 'strings', upper: 'string', work: 'string', flags: 'u32' } },
  rootDirectory: { code: 28, args: { path: 'string' } },
  attachRoot: { code: 29, args: { place: 'string' } },
  mountFilesystem: {
    code: 30,
    args: {
      type: 'string',
      source: 'string',
      target: 'string',
      options: 'strings',
      attributes: 'u64',
      flags: 'u32',
      propagation: 'bytes',
    },
  },
  mountBind: {
    code: 31,
    args: {
      source: 'string',
      target: 'string',
      flags: 'u32',
      set: 'u64',
      clear: 'u64',
      recursiveSet: 'u64',
      recursiveClear: 'u64',
      propagation: 'bytes',
    },
  },
  mountTree: {
    code: 32,
    args: {
      tree: 'fd',
      target: 'string',
      flags: 'u32',
      set: 'u64',
      clear: 'u64',
      recursiveSet: 'u64',
      recursiveClear: 'u64',
      propagation: 'bytes',
    },
  },
  makeNode: {
    code: 33,
    args: { path: 'string', mode: 'u32', major: 'u32', minor: 'u32', uid: 'u32', gid: 'u32' },
  },
  makeLink: { code: 34, args: { path: 'string', target: 'string' } },
  writeSysctl: { code: 35, args: { name: 'string', value: 'string' } },
  maskPath: { code: 36, args: { path: 'string' } },
  readonlyPath: { code: 37, args: { path: 'string' } },
  pivotRoot: { code: 38, args: {} },
  readonlyRoot: { code: 39, args: {} },
  setHostname: { code: 40, args: { name: 'string' } },
  setDomainname: { code: 41, args: { name: 'string' } },
  setRlimit: { code: 42, args: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  adjustOomScore: { code: 43, args: { score: 'u32' } },
  sessionKeyring: { code: 44, args: { name: 'string' } },
  dropBounding: { code: 45, args: { kept: 'u64' } },
  setIdentity: { code: 46, args: { uid: 'u32', gid: 'u32', groups: 'bytes', umask: 'u32' } },
  setCapabilities: {
    code: 47,
    args: { effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
  },
  noNewPrivileges: { code: 48, args: {} },
  loadSeccomp: { code: 49, args: { program: 'bytes', flags: 'u32' } },
  enterDirectory: { code: 50, args: { path: 'string', flags: 'u32' } },
  findProgram: { code: 51, args: { name: 'string', path: 'string' } },
  openTerminal: { code: 52, args: { columns: 'u32', rows: 'u32', flags: 'u32' } },
  placeStdio: { code: 53, args: { stdin: 'fd', stdout: 'fd', stderr: 'fd' } },
  keepDescriptors: { code: 54, args: { slots: 'bytes', later: 'bytes', listener: 'fd' } },
  awaitStart: { code: 55, args: {} },
  execute: { code: 56, args: { args: 'strings', env: 'strings' } },
  ownStdio: { code: 57, args: { uid: 'u32' } },
  changeMount: { code: 58, args: { path: 'string', set: 'u64', clear: 'u64' } },
  reportStarted: { code: 59, args: {} },
  findHome: { code: 60, args: { uid: 'u32' } },
  mapIdentities: { code: 61, args: { uidMap: 'bytes', gidMap: 'bytes', flags: 'u32' } },
  mapByProgram: { code: 62, args: { path: 'string', args: 'strings', timeoutMs: 'u32' } },
  takeIdentity: { code: 63, args: { uid: 'u32', gid: 'u32' } },
  makeUserNamespace: { code: 64, args: { uidMap: 'bytes', gidMap: 'bytes', to: 'newFd' } },
  openTree: {
    code: 65,
    args: { source: 'string', flags: 'u32', propagation: 'u32', userNamespace: 'fd', to: 'newFd' },
  },
  rootTree: { code: 67, args: { tree: 'fd' } },
  standIn: { code: 68, args: { directory: 'fd' } },
  bindNode: { code: 69, args: { path: 'string', type: 'u32', major: 'u32', minor: 'u32' } },
  cloneThrough: { code: 70, args: { flags: 'u64', cgroup: 'fd', joins: 'bytes' } },
  overlayTree: {
    code: 71,
    args: {
      lower: 'strings',
      base: 'string',
      upper: 'string',
      work: 'string',
      flags: 'u32',
      userNamespace: 'fd',
      uid: 'u32',
      gid: 'u32',
    },
  },
  giveStdio: { code: 72, args: { stdin: 'fd', stdout: 'fd', stderr: 'fd', uid: 'u32' } },
  raiseLimit: { code: 73, args: { resource: 'u32', hard: 'u64' } },
  adjustChild: { code: 74, args: { score: 'u32' } },
  runProgram: {
    code: 76,
    args: {
      path: 'string',
      args: 'strings',
      env: 'strings',
      input: 'bytes',
      /** Where in `input` the pid of the container's first process goes; `noHole`: nowhere. */
      hole: 'u32',
      /** 0: none. */
      timeoutMs: 'u64',
      /** Empty: as it is. */
      directory: 'string',
      output: 'fd',
      errors: 'fd',
      name: 'string',
      flags: 'u32',
      /** How many of the operations after it are carried out in the program's process, last before it. */
      prepare: 'u32',
    },
  },
  ownNamespaces: { code: 77, args: {} },
  readProcess: { code: 78, args: { directory: 'fd', name: 'string' } },
  reportDone: { code: 79, args: {} },
  sendPidfd: { code: 81, args: { socket: 'fd', message: 'string' } },
  listenDatagram: { code: 82, args: { directory: 'fd', name: 'string', to: 'newFd' } },
  forwardReady: { code: 83, args: { socket: 'fd', manager: 'string', mainPid: 'u32' } },
  moveRoot: { code: 84, args: {} },
  becomeSubreaper: { code: 85, args: {} },
  removeMount: { code: 151, args: { path: 'string' } },
  servePlans: { code: 171, args: {} },
  openLogFile: { code: 175, args: { path: 'string', to: 'newFd' } },
  inheritSetting: { code: 172, args: { path: 'string', from: 'string' } },
  setPersonality: { code: 91, args: { domain: 'u32' } },
  setMemoryPolicy: { code: 92, args: { mode: 'u32', nodes: 'bytes' } },
  setScheduler: {
    code: 93,
    args: {
      policy: 'u32',
      nice: 'u32',
      priority: 'u32',
      flags: 'u64',
      runtimeNs: 'u64',
      deadlineNs: 'u64',
      periodNs: 'u64',
    },
  },
  setIoPriority: { code: 94, args: { priority: 'u32' } },
  setAffinity: { code: 95, args: { mask: 'bytes' } },
  resetAffinity: { code: 96, args: {} },
  writeAttribute: { code: 97, args: { name: 'string', value: 'string' } },
  makeRuleset: { code: 98, args: { files: 'u64', ports: 'u64', scope: 'u64' } },
  allowPath: { code: 99, args: { path: 'string', onDirectory: 'u64', onFile: 'u64', flags: 'u32' } },
  allowPort: { code: 100, args: { rights: 'u64', port: 'u64' } },
  restrictSelf: { code: 101, args: {} },
  realDirectory: { code: 102, args: { path: 'string' } },
  reconfigureMount: { code: 103, args: { path: 'string', options: 'strings', set: 'u64', clear: 'u64' } },
  privateMount: { code: 104, args: { path: 'string' } },
  moveDevice: { code: 105, args: { namespace: 'fd', name: 'string', newName: 'string' } },
  enrolChild: { code: 106, args: { tasks: 'fd', path: 'string' } },
  verb: { code: 126, args: { verb: 'u32' } },
  takeLock: { code: 127, args: {} },
  requireBoot: { code: 128, args: { bootId: 'string' } },
  requireStatus: { code: 129, args: { statuses: 'u32' } },
  startProgram: { code: 130, args: {} },
  signalProcess: { code: 131, args: {} },
  removeGroup: { code: 132, args: { path: 'string' } },
  removeState: { code: 133, args: {} },
  print: { code: 134, args: { text: 'string' } },
  printPid: { code: 135, args: {} },
  printStatus: { code: 136, args: {} },
  requireText: { code: 201, args: { path: 'string', text: 'string' } },
  requireMissing: { code: 202, args: { path: 'string' } },
  requirePath: { code: 203, args: { path: 'string' } },
  requireDirectory: { code: 204, args: { path: 'string' } },
  requireDevice: { code: 205, args: { path: 'string', device: 'string' } },
  openNamespace: { code: 206, args: { path: 'string', type: 'u32', to: 'newFd' } },
  openLog: { code: 207, args: { path: 'string' } },
  takeState: { code: 208, args: { root: 'string', id: 'string', directory: 'newFd', lock: 'newFd' } },
  log: { code: 209, args: { line: 'string' } },
  startInit: { code: 210, args: { program: 'string', plan: 'bytes', inherited: 'bytes' } },
  commitInit: { code: 211, args: {} },
  warnOomScore: { code: 212, args: { score: 'u32', before: 'string', after: 'string' } },
  writePidFile: { code: 213, args: { path: 'string' } },
  sendFile: { code: 214, args: { path: 'string' } },
  refuse: { code: 215, args: { statuses: 'u32', message: 'string' } },
  attachDevices: { code: 111, args: { path: 'string', program: 'bytes', flags: 'u32' } },
  emptyAtEnd: { code: 112, args: { kill: 'fd' } },
  tellProcess: { code: 142, args: {} },
  learnProcess: { code: 143, args: {} },
  loadSeccompListener: {
    code: 144,
    args: { program: 'bytes', flags: 'u32', agent: 'fd', message: 'strings' },
  },
  askStarter: { code: 113, args: {} },
  /** `parents`: how many of the directories above it are made as well where they are missing. */
  makeGroup: { code: 115, args: { path: 'string', parents: 'u32' } },
  bindGroups: {
    code: 114,
    args: { names: 'strings', sources: 'strings', attributes: 'u64' },
  },
  hold: { code: 173, args: {} },
  layersTree: {
    code: 174,
    args: { lower: 'strings', path: 'string', flags: 'u32', userNamespace: 'fd', to: 'newFd' },
  },
  connect: { code: 191, args: { path: 'string', to: 'newFd' } },
  adoptRestored: { code: 176, args: { program: 'string', pidFile: 'string' } },
  raiseLoopback: { code: 192, args: {} },
} as const

/** The letter of each kind in plan.h. */
export const kindLetters = {
  u32: 'n',
  u64: 'q',
  string: 's',
  bytes: 'b',
  strings: 'l',
  fd: 'f',
  newFd: 'o',
} as const

export const barriers = {
  cloned: 1,
  mapped: 2,
  joined: 3,
  hooksDone: 4,
  committed: 5,
  started: 6,
  limited: 7,
  mounted: 8,
  networked: 20,
  equipped: 21,
} as const

/** Where an `fd` argument names none. */
export const noFd = 0xffffffff
/** `hole` of an input that has none. */
export const noHole = 0xffffffff
/** Slots that one process of a plan has. */
export const slotCount = 256

export type ArgumentKind = keyof typeof kindLetters
export type OperationName = keyof typeof operationTable

interface ValueOf {
  u32: number
  u64: bigint
  string: string
  bytes: Uint8Array
  strings: readonly string[]
  fd: number
  newFd: number
}

type ArgumentsOf<Name extends OperationName> = {
  -readonly [Argument in keyof (typeof operationTable)[Name]['args']]: (typeof operationTable)[Name]['args'][Argument] extends infer Kind extends
    ArgumentKind
    ? ValueOf[Kind]
    : never
}

/** One step: `{ op: 'makeDirectory', path: '/x', mode: 0o755 }`. */
export type Operation = { [Name in OperationName]: { op: Name } & ArgumentsOf<Name> }[OperationName]

export interface Plan {
  parent: readonly Operation[]
  child: readonly Operation[]
}
