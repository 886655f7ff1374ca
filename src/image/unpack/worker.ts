/** An unpack thread: one job at a time, started by UnpackPool. */
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { KeelsonError } from '../../base/index.ts'
import { unpackArchive } from './archive.ts'
import { GrowingFile } from './growing-file.ts'
import { unpackLayer } from './layer.ts'
import { type FromWorker, type ToWorker, toPlain } from './protocol.ts'

type Job = Extract<ToWorker, { kind: 'layer' | 'archive' }>
let current: { job: number; file: GrowingFile } | undefined

parentPort?.on('message', take)

function take(message: ToWorker): void {
  const file = message.job === current?.job ? current.file : undefined
  if (message.kind === 'grown') file?.grown(message.bytes, message.complete)
  else if (message.kind === 'abort') file?.abort(new KeelsonError('CANCELLED', 'cancelled'))
  else void run(message)
}

/** What has come and no turn of the loop has delivered yet. */
function heed(): void {
  if (!parentPort) return
  for (let got = receiveMessageOnPort(parentPort); got; got = receiveMessageOnPort(parentPort))
    take(got.message)
}

async function run(job: Job): Promise<void> {
  parentPort?.postMessage(await outcome(job))
}

async function outcome({ kind, job, fd, directory, limits }: Job): Promise<FromWorker> {
  try {
    const source = new GrowingFile(fd, heed)
    current = { job, file: source }
    const unpack = kind === 'layer' ? unpackLayer : unpackArchive
    return { kind: 'done', unpacked: await unpack(source.chunks(), directory, limits) }
  } catch (error) {
    return { kind: 'failed', error: toPlain(error) }
  } finally {
    current = undefined
  }
}
