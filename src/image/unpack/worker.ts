/** An unpack thread: one job at a time, started by UnpackPool. */
import { parentPort } from 'node:worker_threads'
import { KeelsonError } from '../../base/index.ts'
import { unpackArchive } from './archive.ts'
import { GrowingFile } from './growing-file.ts'
import { unpackLayer } from './layer.ts'
import { type FromWorker, type ToWorker, toPlain } from './protocol.ts'

type Job = Extract<ToWorker, { kind: 'layer' | 'archive' }>
let current: GrowingFile | undefined

parentPort?.on('message', (message: ToWorker) => {
  if (message.kind === 'grown') current?.grown(message.bytes, message.complete)
  else if (message.kind === 'abort') current?.abort(new KeelsonError('CANCELLED', 'cancelled'))
  else void run(message)
})

async function run(job: Job): Promise<void> {
  parentPort?.postMessage(await outcome(job))
}

async function outcome({ kind, fd, directory, limits }: Job): Promise<FromWorker> {
  try {
    const source = new GrowingFile(fd)
    current = source
    const unpack = kind === 'layer' ? unpackLayer : unpackArchive
    return { kind: 'done', unpacked: await unpack(source.chunks(), directory, limits) }
  } catch (error) {
    return { kind: 'failed', error: toPlain(error) }
  } finally {
    current = undefined
  }
}
