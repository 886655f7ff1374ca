import type { ApiClient } from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { Controller } from './controller.ts'
import { deploymentController } from './deployment.ts'
import { endpointSliceController } from './endpointslice.ts'
import { garbageCollector } from './garbage-collector.ts'
import { SharedInformers } from './informers.ts'
import { namespaceController } from './namespace.ts'
import { nodeLifecycleController } from './node-lifecycle.ts'
import { replicaSetController } from './replicaset.ts'

export interface ControllersOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  signal: AbortSignal
}

const controllers = [
  deploymentController,
  replicaSetController,
  endpointSliceController,
  namespaceController,
  garbageCollector,
  nodeLifecycleController,
]

/**
 * Runs all controllers over one set of informers until the signal is aborted. Resolves when every informer has its
 * first list; disposing waits for the work in hand.
 */
export async function startControllers({
  client,
  clock,
  log,
  signal,
}: ControllersOptions): Promise<AsyncDisposable> {
  const informers = new SharedInformers({ client, clock, log })
  const { promise: synced, resolve, reject } = deferred()
  const running: Controller[] = controllers.map((make) => make({ client, informers, clock, log, synced }))
  await informers.start(signal).then(resolve, reject)
  await synced
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((controller) => controller.close()))
      if (signal.aborted) await informers.stopped()
    },
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
