/** Kernel and plan constants that compiling needs; the same on x86_64 and arm64. */
export const CLONE = {
  NEWTIME: 0x80n,
  NEWNS: 0x20000n,
  NEWCGROUP: 0x2000000n,
  NEWUTS: 0x4000000n,
  NEWIPC: 0x8000000n,
  NEWUSER: 0x10000000n,
  NEWPID: 0x20000000n,
  NEWNET: 0x40000000n,
} as const

export const OPEN = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  APPEND: 0o2000,
} as const
/** O_DIRECTORY differs between architectures. */
export const O_PATH = 0o10000000
export const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000

/** Flags of single operations, see native/init. */
export const writeFlags = { skip: 1, skipAbsent: 2, alternative: 4, more: 8 } as const
export const overlayFlags = { volatile: 1, classic: 2 } as const
export const mountFlags = {
  realTarget: 1,
  targetNofollow: 2,
  overProc: 4,
  sourceProc: 8,
  sourceNofollow: 16,
  recursive: 32,
  copyUp: 64,
  keepMode: 128,
  copySymlink: 256,
} as const
export const mapFlags = { denySetgroups: 1 } as const
export const treeFlags = { recursive: 1, recursiveMap: 2, nofollow: 4 } as const
export const directoryFlags = { makeMissing: 1 } as const
export const terminalFlags = { bindConsole: 1 } as const
export const monitorFlags = { stdinOnce: 1 } as const
export const hookFlags = { inRoot: 1, keepGoing: 2, watch: 4 } as const
export const fileLimitResource = 7 // RLIMIT_NOFILE

export const noBytes = new Uint8Array()

/** Numbers as an operation's byte string. */
export function words(numbers: readonly number[]): Uint8Array {
  return numbers.length === 0 ? noBytes : new Uint8Array(Uint32Array.from(numbers).buffer)
}
