import { join } from 'node:path'
import type {
  ContainerConfig,
  RestoredContainer,
  RestorePodRequest,
  RestorePodResponse,
} from '../../cri/types.ts'
import { Tree } from '../kernel/index.ts'
import { podPart } from './checkpoint/documents.ts'
import { decodePodDump, type PodDump, refuseOptions } from './checkpoint/pod-dump.ts'
import { openArchive, openFolder, readDocument } from './checkpoint/unpacked.ts'
import type { PodContext } from './context.ts'
import { createContainer } from './create-container.ts'
import { removePodSandbox } from './remove-pod-sandbox.ts'
import { runPodSandbox } from './run-pod-sandbox.ts'

/**
 * Makes a pod from the archive of one: a sandbox that is ready and its containers, created; each begins where it was when
 * it is started. All of it or nothing. The request's configurations come before the archive's. Repeated with the same
 * archive and pod it returns, or completes, what the first one made.
 */
export async function restorePod(
  context: PodContext,
  request: RestorePodRequest,
): Promise<RestorePodResponse> {
  refuseOptions(request.options)
  return await context.joined.restores.run(request.checkpointPath, () => restore(context, request))
}

async function restore(context: PodContext, request: RestorePodRequest): Promise<RestorePodResponse> {
  const { checkpointPath } = request
  await using archive = await openFolder(context, checkpointPath)
  const dump = readDump(archive.directory)
  const { podSandboxId } = await runPodSandbox(
    context,
    {
      config: request.config ?? dump.sandbox,
      runtimeHandler: request.runtimeHandler || dump.runtimeHandler,
    },
    checkpointPath,
  )
  try {
    const restoredContainers: RestoredContainer[] = []
    for (const { config, path } of containersOf(dump, request, archive.directory)) {
      const made = await createContainer(context, { podSandboxId, config, sandboxConfig: undefined }, () =>
        openArchive(context, path),
      )
      restoredContainers.push({ name: config.metadata?.name ?? '', containerId: made.containerId })
    }
    return { podSandboxId, restoredContainers }
  } catch (error) {
    await removePodSandbox(context, { podSandboxId })
    throw error
  }
}

function readDump(directory: string): PodDump {
  using tree = new Tree(directory)
  return decodePodDump(readDocument(tree, podPart))
}

/** By name the request says what a container is; of those that it does not speak the archive does. */
function containersOf(
  { containers }: PodDump,
  { containerConfigs }: RestorePodRequest,
  directory: string,
): { config: ContainerConfig; path: string }[] {
  return containers.map(({ config, archive }) => ({
    config: containerConfigs.find(({ metadata }) => metadata?.name === config.metadata?.name) ?? config,
    path: join(directory, archive),
  }))
}
