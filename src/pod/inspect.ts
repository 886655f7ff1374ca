import { createHash } from 'node:crypto'
import { asKeelsonError } from '../base/index.ts'
import type { Image } from '../image/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'

/**
 * What `crictl inspect`, `inspectp` and `inspecti` show beside the status: one JSON text, in the words that containerd
 * uses for the same facts. Fields of CRI messages have their names of the proto.
 */
export async function containerInfo({ runtime }: PodContext, record: ContainerRecord): Promise<string> {
  const { id, sandboxId, config, imageId } = record
  const live = record.startedAtNs === undefined ? undefined : await runtime.find(id)
  const [state, runtimeSpec] = await Promise.all([live?.state(), live?.spec()])
  return text({
    sandboxID: sandboxId,
    pid: state?.pid ?? 0,
    snapshotKey: id,
    snapshotter: 'overlay',
    image: imageId,
    config: asProto(config),
    runtimeSpec,
  })
}

/** With whether the network is still as it was made, which may mean to ask CNI plugins. */
export async function sandboxInfo({ runtime, network }: PodContext, record: SandboxRecord): Promise<string> {
  const { id, cgroupPath, addresses, stoppedAtNs, config, runtimeHandler } = record
  const hasNetwork = addresses.length > 0 && stoppedAtNs === undefined
  const problem = hasNetwork && (await network.check(id).then(() => undefined, messageOf))
  const holder = await runtime.find(id)
  return text({
    pid: (await holder?.state())?.pid ?? 0, // most pods need no process of their own
    runtimeHandler,
    cgroupPath,
    ...(hasNetwork ? { network: { ok: problem === undefined, problem } } : {}),
    overhead: asProto(config.linux?.overhead),
    resources: asProto(config.linux?.resources),
    config: asProto(config),
    runtimeSpec: await holder?.spec(),
  })
}

export function imageInfo({ config, layers }: Image): string {
  return text({
    chainID: chainId(layers),
    imageSpec: { ...config, rootfs: { type: 'layers', diff_ids: layers } },
  })
}

/** Of a stack of layers (image-spec config.md, Layer ChainID); undefined for none. */
export function chainId(diffIds: readonly string[]): string | undefined {
  return diffIds.length === 0
    ? undefined
    : diffIds.reduce(
        (above, diffId) => `sha256:${createHash('sha256').update(`${above} ${diffId}`).digest('hex')}`,
      )
}

const messageOf = (error: unknown) => asKeelsonError(error).message

/** Fields whose keys are not ours. */
const maps = new Set(['labels', 'annotations', 'sysctls', 'unified'])

/** `logPath` → `log_path`, as the proto has it; bytes as the text they are. */
function asProto(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (Array.isArray(value)) return value.map(asProto)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      maps.has(name) ? one : asProto(one),
    ]),
  )
}

function text(info: object): string {
  return JSON.stringify(info, (_name, value) => (typeof value === 'bigint' ? Number(value) : value))
}
