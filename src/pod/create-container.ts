import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  type ContainerConfig,
  type CreateContainerRequest,
  CreateContainerResponse,
  Signal,
} from '../../cri/types.ts'
import { Cleanup, KeelsonError } from '../base/index.ts'
import type { Image } from '../image/index.ts'
import { signalNumber, validateSpec } from '../oci/index.ts'
import { openCheckpoint, placeCheckpoint, type UnpackedCheckpoint } from './checkpoint/unpacked.ts'
import { containerSpec } from './container-spec.ts'
import { nowNs, type PodContext } from './context.ts'
import { imageVolumesOf, keepLayers } from './image-volumes.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import { containerPid, podNamespaces } from './spec/namespaces.ts'
import { checkedResources } from './spec/resources.ts'
import { resolveUser } from './spec/user.ts'
import { together } from './together.ts'
import { writableLayerBytesMax } from './writable-layer.ts'

/**
 * Makes the container's snapshot and record, and nothing in the kernel: a crash can lose no more than a directory.
 * All that is wrong with the request is said here, not at the start. An image may be a checkpoint: then the container is
 * over the image of that, with what was written to it, and its start makes its processes again. Repeated with the same name and attempt it
 * returns the first one's result.
 */
export async function createContainer(
  context: PodContext,
  { podSandboxId, config }: CreateContainerRequest,
  open: OpenCheckpoint = openCheckpoint,
): Promise<CreateContainerResponse> {
  const checked = checkedConfig(config)
  const sandbox = context.store.sandbox(podSandboxId)
  const { name, attempt } = checked.metadata
  const made = context.store
    .containersOf(sandbox.id)
    .find(({ config: { metadata } }) => metadata?.name === name && metadata.attempt === attempt)
  if (made) return CreateContainerResponse.fromPartial({ containerId: made.id })
  if (sandbox.stoppedAtNs !== undefined)
    throw new KeelsonError('FAILED_PRECONDITION', `pod sandbox ${sandbox.id} is not ready`, {
      id: sandbox.id,
    })
  const containerId = await context.joined.containers.run(JSON.stringify([sandbox.id, name, attempt]), () =>
    makeFrom(context, sandbox, checked, open),
  )
  return CreateContainerResponse.fromPartial({ containerId })
}

/** By the name of the image; undefined: it is an image and nothing else. */
type OpenCheckpoint = (context: PodContext, imageName: string) => Promise<UnpackedCheckpoint | undefined>

async function makeFrom(
  context: PodContext,
  sandbox: SandboxRecord,
  config: ContainerConfig,
  open: OpenCheckpoint,
): Promise<string> {
  const checkpoint = await open(context, config.image?.image ?? '')
  try {
    return await make(context, sandbox, config, checkpoint)
  } finally {
    await checkpoint?.[Symbol.asyncDispose]()
  }
}

async function make(
  context: PodContext,
  sandbox: SandboxRecord,
  config: ContainerConfig,
  checkpoint: UnpackedCheckpoint | undefined,
): Promise<string> {
  const { images, store, clock } = context
  const id = randomBytes(32).toString('hex')
  const image = checkpoint?.image ?? findImage(context, config)
  const texts = await context.userFiles.of(image.id)
  const imageVolumes = await imageVolumesOf(context, config)
  const security = config.linux?.securityContext
  const imageUser = image.config.config.User ?? ''
  const record: ContainerRecord = {
    id,
    sandboxId: sandbox.id,
    config,
    imageId: image.id,
    imageConfig: image.config,
    imageRef: image.repoDigests[0] ?? image.id,
    imageName: image.repoTags[0] ?? config.image?.image ?? image.id,
    stopSignal: stopSignal(config, image),
    logPath: logPath(sandbox, config),
    user: resolveUser({ security, imageUser, ...texts }),
    ...(imageVolumes.length > 0 ? { imageVolumes } : {}),
    ...(checkpoint ? { restores: { checkpointedAt: checkpoint.checkpointedAt } } : {}),
    createdAtNs: nowNs(clock),
  }
  checkPid(context, sandbox, config)
  if (config.linux?.resources) checkedResources(config.linux.resources)
  const bytesMax = writableLayerBytesMax(context, sandbox, record)
  await using undo = new Cleanup()
  undo.defer(() => images.snapshots.remove(id))
  // Side by side: the one works on the disk, the other looks at the host and computes.
  const [{ upper }] = await together(
    keepLayers(context, sandbox.id, imageVolumes).then(() =>
      images.snapshots.prepare(id, image.id, { bytesMax }),
    ),
    containerSpec(context, sandbox, record).then(validateSpec),
  )
  if (checkpoint) await placeCheckpoint(context, id, upper, checkpoint)
  await store.putContainer(record, 'created')
  undo.keep()
  return id
}

function checkPid(context: PodContext, sandbox: SandboxRecord, config: ContainerConfig): void {
  const options = config.linux?.securityContext?.namespaceOptions
  const pid = containerPid(options, podNamespaces(sandbox.config))
  if (pid.kind === 'target') targetOf(context, sandbox.id, pid.containerId)
}

/** The container of the same pod whose PID namespace is asked for. */
export function targetOf({ store }: PodContext, sandboxId: string, targetId: string): ContainerRecord {
  const found = store.container(targetId)
  if (found.sandboxId === sandboxId) return found
  throw new KeelsonError('INVALID_ARGUMENT', `container ${found.id} belongs to another pod`, {
    op: 'CreateContainer',
    id: found.id,
  })
}

function findImage({ images }: PodContext, config: ContainerConfig): Image {
  const asked = config.image?.image ?? ''
  const image = asked === '' ? undefined : images.find(asked)
  if (image) return image
  throw new KeelsonError('NOT_FOUND', `image ${JSON.stringify(asked)} is not present`, {
    op: 'CreateContainer',
    hint: 'pull it first',
  })
}

/** The caller's signal, else the image's, else SIGTERM. */
export function stopSignal(config: ContainerConfig, image: Image): string {
  const asked = Signal[config.stopSignal] ?? ''
  const named = asked.replace('SIGNAL_', '').replace('PLUS', '+').replace('MINUS', '-')
  const signal = named.startsWith('SIG') ? named : image.config.config.StopSignal || 'SIGTERM'
  signalNumber(signal)
  return signal
}

/** Links on the way to the pod's directory are the node's own business; a name that leaves it is somebody's mistake. */
function logPath({ config: { logDirectory } }: SandboxRecord, { logPath: path }: ContainerConfig): string {
  if (logDirectory === '' || path === '') return ''
  const whole = join(logDirectory, path)
  if (whole.startsWith(join(logDirectory, '/')) && !whole.endsWith('/')) return whole
  throw new KeelsonError(
    'INVALID_ARGUMENT',
    `log_path ${JSON.stringify(path)} leads out of the pod's log directory`,
    { op: 'CreateContainer', path: whole },
  )
}

type CheckedConfig = ContainerConfig & { metadata: NonNullable<ContainerConfig['metadata']> }

function checkedConfig(config: ContainerConfig | undefined): CheckedConfig {
  const { metadata } = config ?? {}
  if (config && metadata && metadata.name !== '') return { ...config, metadata }
  throw new KeelsonError('INVALID_ARGUMENT', 'a container needs a config with metadata and a name', {
    op: 'CreateContainer',
  })
}
