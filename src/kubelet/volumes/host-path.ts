import { mkdir, open, stat } from 'node:fs/promises'
import { KeelsonError } from '../../base/index.ts'

const checks: Record<string, (stats: Awaited<ReturnType<typeof stat>>) => boolean> = {
  Directory: (stats) => stats.isDirectory(),
  DirectoryOrCreate: (stats) => stats.isDirectory(),
  File: (stats) => stats.isFile(),
  FileOrCreate: (stats) => stats.isFile(),
  Socket: (stats) => stats.isSocket(),
  CharDevice: (stats) => stats.isCharacterDevice(),
  BlockDevice: (stats) => stats.isBlockDevice(),
}

/** Makes sure a hostPath is what its type says; the OrCreate types make it when nothing is there. */
export async function ensureHostPath(path: string, type = ''): Promise<void> {
  if (!path.startsWith('/') || path.split('/').includes('..'))
    throw new KeelsonError('INVALID_ARGUMENT', `hostPath "${path}" must be absolute and without ".."`, {
      path,
    })
  let stats = await find(path)
  if (!stats && type === 'DirectoryOrCreate') await makeDirectories(path)
  if (!stats && type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close()
  stats ??= await find(path)
  if (type === '') return
  const check = checks[type]
  if (!check) throw new KeelsonError('INVALID_ARGUMENT', `hostPath type "${type}" is not known`, { path })
  if (!stats || !check(stats))
    throw new KeelsonError('FAILED_PRECONDITION', `hostPath type check failed: ${path} is not a ${type}`, {
      path,
    })
}

/**
 * One directory after the other. Node's own `recursive` tries for ever where the kernel answers ENOENT to mkdir
 * itself, as below /proc, and the path is whatever a pod asks for.
 */
async function makeDirectories(path: string): Promise<void> {
  let below = ''
  for (const part of path.split('/').filter((one) => one !== '')) {
    below += `/${part}`
    if (!(await find(below))) await mkdir(below, { mode: 0o755 })
  }
}

async function find(path: string) {
  return stat(path).catch(() => undefined)
}
