import { rm } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { Cleanup, KeelsonError } from '../base/index.ts'
import { hangUp, initAnswer, ownFd } from '../kernel/index.ts'
import { DiskContainer } from './container.ts'
import type { RuntimeContext } from './context.ts'
import { commit, discardCgroup } from './create-container.ts'
import { runPoststop } from './hooks/recorded.ts'
import { closeInit } from './init-channel.ts'
import { decodePlan, type Plan } from './plan/index.ts'
import type { Container } from './runtime.ts'
import { type DecidedRecord, recordFiles } from './state/record.ts'

/** A create that the native front began (native/front/create.c): keelson-init runs, and its answer is still unread. */
export interface BegunCreate {
  control: number
  /** The encoded plan that keelson-init carries out. */
  plan: Uint8Array
  /** Descriptor of the container's lock, which is held. */
  lock: number
  /** keelson-init: a child of this process. */
  pid: number
  /** The signal by which it is to be given up, or 0. */
  endedBy: number
}

/** Does with the answer what `createContainer` does: mostly it is a failure, and all is taken back and told. */
export async function resumeCreate(
  context: RuntimeContext,
  id: string,
  begun: BegunCreate,
): Promise<Container> {
  const plan = decodePlan(begun.plan)
  const directory = join(context.stateRoot, id)
  const { cgroup } = JSON.parse(fileOf(plan, recordFiles.state)?.toString() ?? '{}') as Partial<DecidedRecord>
  await using afterwards = new Cleanup()
  afterwards.defer(() => runPoststop(context, id, fileOf(plan, recordFiles.poststop)))
  using _lock = ownFd(begun.lock)
  await using undo = new Cleanup()
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  if (cgroup) undo.defer(() => discardCgroup(context, cgroup))
  if (begun.endedBy !== 0) hangUp(begun.control)
  const answer = await initAnswer(begun.control, Promise.resolve(), undefined)
  await using answered = new Cleanup()
  answered.defer(() => closeInit({ ...answer, pid: begun.pid }))
  if (begun.endedBy !== 0) throw interruption(begun.endedBy)
  commit(answer, plan, directory, id)
  undo.keep()
  afterwards.keep()
  return new DiskContainer(context, id, directory)
}

function interruption(signal: number): KeelsonError {
  const [name] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? []
  return new KeelsonError('CANCELLED', `${name} ended it before the program ran`)
}

/** What the plan writes into the state directory. */
function fileOf({ parent }: Plan, name: string): Buffer | undefined {
  for (const one of parent) if (one.op === 'replaceFile' && one.name === name) return Buffer.from(one.data)
  return undefined
}
