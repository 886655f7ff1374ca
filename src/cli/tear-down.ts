import { rm } from 'node:fs/promises'
import type { RuntimeService } from '../../cri/service.ts'
import { ListPodSandboxRequest } from '../../cri/types.ts'
import { hasErrno } from '../base/index.ts'
import { removePinNamespace } from '../kernel/index.ts'
import { restoreHost } from '../network/index.ts'
import { cgroupLeaves, expandSlice, readCgroupLayout, removeCgroup } from '../oci/index.ts'
import { removeServiceTable } from '../services/index.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { stopDaemon } from './daemon.ts'
import { pathsOf } from './paths.ts'
import { openNodePodStack } from './pod-stack/node.ts'

/**
 * The reverse of `up`, in reverse order: processes, pods, then what was changed on the host. Every step succeeds when
 * there is nothing to do, so a half-finished `down` is finished by the next. Cluster state on disk stays.
 */
export async function tearDown(
  config: Config,
  context: Context,
  { keepPods }: { keepPods: boolean },
): Promise<void> {
  for (const name of ['node', 'server'] as const)
    if (await stopDaemon(name, config, context)) context.notice(`  ${name} stopped`)
  if (keepPods) return context.notice('  pods go on; `keelson up` adopts them')
  const count = await removePods(config, context)
  context.notice(`  ${count} pod${count === 1 ? '' : 's'} removed`)
  await undoHostChanges(config, context)
  context.notice('  host restored')
}

async function removePods(config: Config, { clock, logger }: Context): Promise<number> {
  const { signal } = new AbortController() // a second Ctrl-C must not leave half of it behind
  await using pods = await openNodePodStack({
    config,
    clock,
    log: logger('warn'),
    signal,
    onStep: () => undefined,
  })
  const call = { signal }
  const { items } = await pods.runtime.listPodSandbox(ListPodSandboxRequest.create(), call)
  await Promise.all(items.map(({ id }) => removePod(pods.runtime, id, call)))
  return items.length
}

async function removePod(
  runtime: RuntimeService,
  podSandboxId: string,
  call: { signal: AbortSignal },
): Promise<void> {
  await runtime.stopPodSandbox({ podSandboxId }, call)
  await runtime.removePodSandbox({ podSandboxId }, call)
}

async function undoHostChanges(
  { instance, dataDirectory, runDirectory, serviceCidr }: Config,
  { clock }: Context,
): Promise<void> {
  await removeServiceTable({ instance, serviceCidr, runDirectory })
  await restoreHost({
    instance,
    dataDirectory: pathsOf({ dataDirectory, runDirectory }).network,
    runDirectory,
  })
  await removePinNamespace({ runDirectory })
  for (const path of [`/${instance}`, expandSlice(`${instance}.slice`)]) {
    const leaves = cgroupLeaves({ layout: readCgroupLayout(), path })
    await removeCgroup(leaves, { clock })
  }
  await removeRunDirectory(runDirectory)
}

/** One that is a file system of its own is emptied, and stays. */
async function removeRunDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
    const isItself = error instanceof Error && 'path' in error && error.path === path
    if (!isItself || !hasErrno(error, 'EBUSY')) throw error
  })
}
