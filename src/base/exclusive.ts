import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { asKeelsonError, hasErrno, KeelsonError } from './errors.ts'

/**
 * Holds a directory for this process alone, until disposed or until the process ends in whatever way. The holder
 * listens on an abstract unix socket (unix(7)) named after the directory's device and inode: the kernel takes the
 * name back with the process, so unlike with a pid file nothing stale is left after kill -9. It holds among the
 * processes of one network namespace. FAILED_PRECONDITION when another process has it.
 */
export async function holdDirectory(path: string, purpose: string): Promise<AsyncDisposable> {
  const { dev, ino } = await stat(path).catch((error) => {
    throw asKeelsonError(error, { op: 'hold directory', path })
  })
  const server = createServer((connection) => connection.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(`\0keelson/${purpose}/${dev}-${ino}`, resolve)
  }).catch((error) => {
    if (!hasErrno(error, 'EADDRINUSE')) throw asKeelsonError(error, { op: 'hold directory', path })
    const details = { op: 'hold directory', path, hint: 'stop the other process first' }
    throw new KeelsonError('FAILED_PRECONDITION', `${path} is in use by another process`, details)
  })
  server.unref()
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
