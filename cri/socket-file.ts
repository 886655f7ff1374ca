import { chmod, chown, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { CriError } from './error.ts'

/** sockaddr_un holds 108 bytes, the last of them NUL (unix(7)). */
const pathBytesMax = 107

/** Who may connect besides the owner. */
export interface SocketAccess {
  /** Permissions; default 0600. */
  mode?: number | undefined
  gid?: number | undefined
}

/**
 * Puts a listening unix socket at `path`, for nobody but its owner until it has its mode and group, over a stale one: `bind` is given a name
 * inside a fresh directory of mode 0700, and the finished socket is renamed into place. Disposing removes it,
 * unless somebody else's has taken its place.
 */
export async function claimSocket(
  path: string,
  bind: (temporaryPath: string) => Promise<void>,
  { mode = 0o600, gid }: SocketAccess = {},
): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await refuseIfInUse(path)
  const directory = await mkdtemp(join(dirname(path), '.s'))
  try {
    const temporaryPath = join(directory, 's')
    checkLength(path, temporaryPath)
    await bind(temporaryPath)
    if (gid !== undefined) await chown(temporaryPath, -1, gid)
    await chmod(temporaryPath, mode)
    await rename(temporaryPath, path)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  const { ino, dev } = await lstat(path)
  return {
    async [Symbol.asyncDispose]() {
      const now = await lstat(path).catch(() => undefined)
      if (now?.ino === ino && now.dev === dev) await rm(path, { force: true })
    },
  }
}

async function refuseIfInUse(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new CriError('ALREADY_EXISTS', `${path} exists and is not a socket`)
  if (await answers(path)) throw new CriError('ALREADY_EXISTS', `another process is serving on ${path}`)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    // EAGAIN: the queue of a busy server is full.
    probe.once('error', (error) => resolve('code' in error && error.code === 'EAGAIN'))
  })
}

function checkLength(path: string, temporaryPath: string): void {
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(temporaryPath))
  if (longest > pathBytesMax)
    throw new CriError('INVALID_ARGUMENT', `the socket path ${path} is too long for a unix socket`)
}
