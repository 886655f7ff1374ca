import { KeelsonError } from '../base/index.ts'
import type { Container, Process } from '../oci/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord } from './records.ts'
import { podHostname } from './spec/namespaces.ts'
import { buildProcess } from './spec/spec.ts'

/** The record and the live container of an id; FAILED_PRECONDITION unless it runs. */
export async function runningContainer(
  { store, runtime }: PodContext,
  idOrPrefix: string,
): Promise<{ record: ContainerRecord; container: Container }> {
  const record = store.container(idOrPrefix)
  const container =
    record.startedAtNs !== undefined && !record.exit ? await runtime.find(record.id) : undefined
  if (container) return { record, container }
  throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} is not running`, { id: record.id })
}

/** Another process of the container: its user, environment and rights, with a command of its own. */
export function execProcess(
  { store, host }: PodContext,
  { id, config, user, sandboxId, imageConfig }: ContainerRecord,
  args: readonly string[],
  terminal: boolean,
): Process {
  if (args.length === 0) throw new KeelsonError('INVALID_ARGUMENT', 'exec needs a command', { id })
  const hostname = podHostname(store.sandbox(sandboxId).config)
  const withCommand = { ...config, command: [...args], args: [], tty: terminal }
  return buildProcess({ config: withCommand, image: imageConfig, user, hostname, host })
}
