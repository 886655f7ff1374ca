import { readFile } from 'node:fs/promises'
import { serveCri } from '../../cri/server.ts'
import type { ImageService, RuntimeService } from '../../cri/service.ts'
import { hasCode, KeelsonError } from '../base/index.ts'
import type { CriConfig } from './cri-settings/index.ts'

/** The socket's own words, with what to do about it. */
export async function serveSocket(
  {
    path: socketPath,
    mode = '0600',
    group = '',
    answerBytesMax,
  }: Partial<CriConfig['socket']> & { path: string },
  { runtime, image }: { runtime: RuntimeService; image: ImageService },
): Promise<AsyncDisposable> {
  try {
    const gid = group === '' ? undefined : await groupId(group)
    return await serveCri({
      socketPath,
      mode: Number.parseInt(mode, 8),
      gid,
      runtime,
      image,
      ...(answerBytesMax !== undefined && { answerBytesMax }),
    })
  } catch (error) {
    if (!hasCode(error, 'ALREADY_EXISTS') || !(error instanceof Error)) throw error
    throw new KeelsonError('ALREADY_EXISTS', error.message, {
      path: socketPath,
      cause: error,
      hint: 'stop it, or choose another path with --cri-socket',
    })
  }
}

async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group)
  const line = (await readFile('/etc/group', 'utf8')).split('\n').find((one) => one.startsWith(`${group}:`))
  if (line !== undefined) return Number(line.split(':')[2])
  throw new KeelsonError('INVALID_ARGUMENT', `socket.group: there is no group ${group}`, {
    path: '/etc/group',
  })
}
