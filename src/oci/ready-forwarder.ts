import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { type StartedInit, startInit } from '../kernel/index.ts'
import { notifySocket } from './compile/effective-spec.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { InitChannel } from './init-channel.ts'
import { encodePlan } from './plan/index.ts'
import type { Plan } from './plan/operations.ts'
import { Slots } from './plan/slots.ts'
import type { StartOptions } from './runtime.ts'
import { recordFiles } from './state/record.ts'

/** A keelson-init that hands READY= of the container on to the manager of whoever starts it, with MAINPID=. */
export class ReadyForwarder implements AsyncDisposable {
  #channel: InitChannel | undefined

  private constructor(started: StartedInit) {
    this.#channel = new InitChannel(started)
  }

  /** Resolves when the container's socket is there. */
  static async open(
    directory: string,
    id: string,
    notify: NonNullable<StartOptions['notify']>,
  ): Promise<ReadyForwarder> {
    const fd = openSync(directory, 'r')
    try {
      const { plan, inherited } = forwardPlan(fd, notify)
      const started = await startInit({ plan: encodePlan(plan), inherited })
      const forwarder = new ReadyForwarder(started)
      if (started.type === frameType.done) return forwarder
      await forwarder[Symbol.asyncDispose]()
      if (started.type === frameType.failure) throw failureError(started.payload, plan, 'start', id)
      throw lostError('start', id)
    } finally {
      closeSync(fd)
    }
  }

  /** Resolves when the container is ready, or has ended. */
  async done(): Promise<void> {
    while (await this.#channel?.next());
  }

  /** It goes on by itself until then, or until this process ends. */
  detach(): void {
    this.#channel = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel?.[Symbol.asyncDispose]()
  }
}

function forwardPlan(
  fd: number,
  { socket: manager, mainPid = 0 }: NonNullable<StartOptions['notify']>,
): { plan: Plan; inherited: readonly number[] } {
  const slots = new Slots()
  const directory = slots.inherit(fd)
  const socket = slots.allocate()
  return {
    plan: {
      parent: [
        { op: 'readProcess', directory, name: recordFiles.pid },
        { op: 'listenDatagram', directory, name: join(recordFiles.notify, notifySocket), to: socket },
        { op: 'reportDone' },
        { op: 'forwardReady', socket, manager, mainPid },
      ],
      child: [],
    },
    inherited: slots.inherited,
  }
}
