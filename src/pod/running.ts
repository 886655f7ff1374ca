import { KeelsonError } from '../base/index.ts'
import type { Container, Process, Spec } from '../oci/index.ts'
import { requestedDevices } from './cdi/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord } from './records.ts'
import { podHostname } from './spec/namespaces.ts'
import { buildProcess } from './spec/spec.ts'

export interface RunningContainer {
  record: ContainerRecord
  container: Container
}

/** The record and the live container of an id; FAILED_PRECONDITION unless it runs. */
export async function runningContainer(
  { store, runtime }: PodContext,
  idOrPrefix: string,
): Promise<RunningContainer> {
  const record = store.container(idOrPrefix)
  const container =
    record.startedAtNs !== undefined && !record.exit ? await runtime.find(record.id) : undefined
  if (container) return { record, container }
  throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} is not running`, { id: record.id })
}

/** Another process of the container: its user, environment and rights, with a command of its own. */
export async function execProcess(
  { store, host }: PodContext,
  { record: { id, config, user, sandboxId, imageConfig }, container }: RunningContainer,
  args: readonly string[],
  terminal: boolean,
): Promise<Process> {
  if (args.length === 0) throw new KeelsonError('INVALID_ARGUMENT', 'exec needs a command', { id })
  const hostname = podHostname(store.sandbox(sandboxId).config)
  const withCommand = { ...config, command: [...args], args: [], tty: terminal }
  const process = buildProcess({ config: withCommand, image: imageConfig, user, hostname, host })
  return requestedDevices(config).length > 0 ? withDevices(process, await container.spec()) : process
}

/** What its CDI devices gave the container is its other processes' too. */
function withDevices(process: Process, { process: first }: Spec): Process {
  const { additionalGids } = first?.user ?? {}
  return {
    ...process,
    ...(first?.env && { env: first.env }),
    ...(additionalGids && process.user && { user: { ...process.user, additionalGids } }),
  }
}
