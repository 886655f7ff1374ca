import { readFileSync, readSync } from 'node:fs'
import { lostError } from '../../oci/failure.ts'
import { FrameReader, framePayloadMax } from '../../oci/frames.ts'
import type { BegunCreate } from '../../oci/resume-create.ts'

/**
 * The native front has asked the container to start and heard why it cannot: the connection with that answer, unread,
 * is one of our descriptors (native/front/hand-on.c). Undefined when it is Node that has to ask.
 */
export function takeAnswer(env: NodeJS.ProcessEnv): Buffer | undefined {
  const fd = Number(env['KEELSON_OCI_ANSWER'] || Number.NaN)
  if (!Number.isInteger(fd)) return undefined
  const chunk = Buffer.alloc(framePayloadMax + 64)
  const reader = new FrameReader()
  for (;;) {
    const length = readSync(fd, chunk)
    if (length === 0) throw lostError('start', '')
    const [frame] = reader.push(Buffer.from(chunk.subarray(0, length)))
    if (frame) return frame.payload
  }
}

/**
 * A create that the native front has begun: `done`, when the container is made and only what follows is left; else
 * descriptors and the process to go on with (native/front/create.c). Undefined when it is Node that creates.
 */
export function takeCreate({
  KEELSON_OCI_CREATE: told = '',
}: NodeJS.ProcessEnv): BegunCreate | 'done' | undefined {
  if (told === '' || told === 'done') return told || undefined
  const [control = -1, plan = -1, lock = -1, pid = -1, endedBy = 0] = told.split(':').map(Number)
  return { control, plan: readFileSync(plan), lock, pid, endedBy }
}
