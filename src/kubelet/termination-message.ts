import { createReadStream } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { annotation } from './labels.ts'
import { type ContainerRun, isExited } from './pod-runtime.ts'

const messageMax = 4096
const logLinesMax = 80
const logBytesMax = 2048

/** Makes the file that a container may leave its last words in (terminationMessagePath), and tells where it is. */
export async function makeMessageFile(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await using file = await open(path, 'w')
  await file.chmod(0o666) // any user in the container may write it, whatever our umask
  return path
}

/** The last words of a run that ended: its message file, or its log's end where the policy says so. */
export async function readMessage(run: ContainerRun): Promise<string> {
  const { mounts, annotations, logPath, exitCode } = run.status
  const inside = annotations[annotation.terminationMessagePath]
  const hostPath = mounts.find(({ containerPath }) => containerPath === inside)?.hostPath
  const text = hostPath ? await beginOf(hostPath) : ''
  if (text !== '') return text
  const fallback = annotations[annotation.terminationMessagePolicy] === 'FallbackToLogsOnError'
  return fallback && isExited(run) && exitCode !== 0 ? endOfLog(logPath) : ''
}

/** The container decides how much it writes; we read no more than is shown. */
async function beginOf(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return ''
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(messageMax), 0, messageMax, 0)
    return buffer.subarray(0, bytesRead).toString()
  } finally {
    await file.close()
  }
}

async function endOfLog(path: string): Promise<string> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  if (size === 0) return ''
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(path, { start: Math.max(0, size - 4 * logBytesMax) }))
    chunks.push(chunk)
  const lines = Buffer.concat(chunks).toString().split('\n')
  const contents = lines
    .map((line) => /^\S+ (?:stdout|stderr) \S+ (.*)$/.exec(line)?.[1])
    .filter((one) => one !== undefined)
  return contents.slice(-logLinesMax).join('\n').slice(-logBytesMax)
}
