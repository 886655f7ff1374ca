import type { Logger } from '../../base/index.ts'
import { asKeelsonError, KeelsonError } from '../../base/index.ts'
import { type Attachment, type AttachmentKey, Attachments } from './attachments.ts'
import { type Offers, runtimeConfigFor } from './capabilities.ts'
import type { JsonObject } from './json.ts'
import type { NetworkList, PluginConfig } from './network-list.ts'
import { type PluginCommand, PluginHost, type PluginHostOptions, type PluginSubject } from './plugin.ts'
import { PluginError } from './plugin-failure.ts'
import { type CniResult, convertResult, parseResult } from './result.ts'
import { Turns } from './turns.ts'
import { hasSince } from './version.ts'

export interface CniNetworksOptions extends PluginHostOptions {
  /** Attachments are kept below it. */
  cacheDir: string
  log: Logger
}

export interface AddRequest extends AttachmentKey {
  network: NetworkList
  namespacePath: string
  args: Readonly<Record<string, string>>
  offers: Offers
  signal?: AbortSignal | undefined
}

/**
 * Containers on CNI networks (CNI specification 1.1.0, section 3).
 *
 * - `add` calls the plugins in order, each with the result of the one before; when one fails, `del` is called at once.
 * - `del` calls all of them in reverse order, also when one fails, with the configuration and result of ADD. It fails
 *   if any did, and is then still due: call it again. Of an unknown container it does nothing.
 * - One operation at a time per container, containers side by side; `collect` (GC) alone.
 * - Results are on disk, so all this holds over the end of the process.
 */
export class CniNetworks implements AsyncDisposable {
  readonly #plugins: PluginHost
  readonly #attachments: Attachments
  readonly #log: Logger
  readonly #turns = new Turns()

  private constructor(options: CniNetworksOptions, attachments: Attachments) {
    this.#plugins = new PluginHost(options)
    this.#attachments = attachments
    this.#log = options.log
  }

  static async open(options: CniNetworksOptions): Promise<CniNetworks> {
    return new CniNetworks(options, await Attachments.open(options.cacheDir, options.log))
  }

  find(key: AttachmentKey): Attachment | undefined {
    return this.#attachments.get(key)
  }

  all(): Attachment[] {
    return this.#attachments.all()
  }

  /** The result of a container that was added before is returned again. */
  add(request: AddRequest): Promise<CniResult> {
    return this.#turns.run(request.containerId, async () => {
      const known = this.#attachments.get(request)
      if (known?.result) return known.result
      // An ADD of a former life of the process that did not come to its end.
      if (known) await this.#del(known, '')
      return await this.#add(request)
    })
  }

  /** `namespacePath` is empty when the namespace is gone. */
  del(key: AttachmentKey, namespacePath: string): Promise<void> {
    return this.#turns.run(key.containerId, async () => {
      const known = this.#attachments.get(key)
      if (known) await this.#del(known, namespacePath)
    })
  }

  /** Whether everything is still as ADD left it: throws what a plugin finds wrong. */
  check(key: AttachmentKey, namespacePath: string): Promise<void> {
    return this.#turns.run(key.containerId, async () => {
      const known = this.#attachments.get(key)
      if (!known?.result)
        throw new KeelsonError('NOT_FOUND', `${key.containerId} is on no CNI network`, {
          id: key.containerId,
        })
      if (known.network.disableCheck || !hasSince(known.network.cniVersion, '0.4.0')) return
      for (const plugin of known.network.plugins)
        await this.#call('CHECK', known.network, plugin, { ...known, namespacePath, previous: known.result })
    })
  }

  /**
   * GC: lets plugins remove what belongs to no attachment of ours. Never beside another operation, and not at all while
   * there are attachments that could not be read: they would be taken for gone.
   */
  async collect(network: NetworkList): Promise<void> {
    if (network.disableGC || !hasSince(network.cniVersion, '1.1.0')) return
    const { unreadable } = this.#attachments
    if (unreadable.length > 0) {
      this.#log.warn('no GC of CNI networks: attachments cannot be read', { paths: unreadable })
      return
    }
    await this.#turns.alone(async () => {
      const valid = this.#attachments.all().filter((one) => one.network.name === network.name)
      const attachments = valid.map(({ containerId, ifName }) => ({
        containerID: containerId,
        ifname: ifName,
      }))
      const more = { 'cni.dev/valid-attachments': attachments }
      await everyOne(network.plugins, (plugin) => this.#call('GC', network, plugin, { more }))
    })
  }

  /** Whether an ADD would work: throws the reason when not. Below 1.1.0 plugins are asked for their versions instead. */
  async status(network: NetworkList): Promise<void> {
    const hasStatus = hasSince(network.cniVersion, '1.1.0')
    for (const plugin of network.plugins)
      if (hasStatus) await this.#call('STATUS', network, plugin, {})
      else await this.#checkVersion(network, plugin)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.idle()
  }

  async #add(request: AddRequest): Promise<CniResult> {
    const { containerId, ifName, network, args, offers, namespacePath } = request
    // One that is missing would fail every DEL as well: nothing is begun without it.
    for (const { type } of network.plugins) await this.#plugins.find(type)
    const attachment: Attachment = { version: 1, containerId, ifName, network, args, offers }
    await this.#attachments.put(attachment)
    try {
      const result = await this.#addToEach(request)
      await this.#attachments.put({ ...attachment, result })
      return result
    } catch (error) {
      await this.#del(attachment, namespacePath).catch((failure: unknown) =>
        this.#log.warn('what a failed CNI ADD left could not be taken back yet', {
          id: containerId,
          error: failure,
        }),
      )
      throw error
    }
  }

  async #addToEach(request: AddRequest): Promise<CniResult> {
    const { network } = request
    let previous: CniResult | undefined
    for (const plugin of network.plugins) {
      const answer = await this.#call('ADD', network, plugin, { ...request, previous })
      previous = resultOf(answer, network, plugin)
    }
    if (previous) return previous
    throw new KeelsonError('FAILED_PRECONDITION', `the CNI network "${network.name}" has no plugins`)
  }

  async #del(attachment: Attachment, namespacePath: string): Promise<void> {
    const { network, result: previous } = attachment
    const plugins = [...network.plugins].reverse()
    await everyOne(plugins, (plugin) =>
      this.#call('DEL', network, plugin, { ...attachment, namespacePath, previous }),
    )
    await this.#attachments.remove(attachment)
  }

  #call(
    command: PluginCommand,
    network: NetworkList,
    plugin: PluginConfig,
    input: CallInput,
  ): Promise<unknown> {
    const { signal } = input
    const config = requestConfig(network, plugin, command, input)
    return this.#plugins.call({ type: plugin.type, command, config, subject: subjectOf(input), signal })
  }

  /** One call per program that is new: what it speaks changes only with its file. */
  async #checkVersion({ cniVersion }: NetworkList, { type }: PluginConfig): Promise<void> {
    const supported = await this.#plugins.versions(type)
    if (supported.includes(cniVersion)) return
    const spoken = supported.length === 0 ? 'names none that it does' : `speaks ${supported.join(', ')}`
    throw new PluginError(
      'FAILED_PRECONDITION',
      `CNI plugin "${type}" does not speak ${cniVersion}: it ${spoken}`,
      type,
    )
  }
}

type CallInput = Partial<PluginSubject> & {
  offers?: Offers
  previous?: CniResult | undefined
  more?: JsonObject
  signal?: AbortSignal | undefined
}

function subjectOf({
  containerId,
  namespacePath = '',
  ifName,
  args = {},
}: CallInput): PluginSubject | undefined {
  if (containerId === undefined || ifName === undefined) return undefined
  return { containerId, namespacePath, ifName, args }
}

/** What a plugin reads: its part of the file, and what the runtime adds (specification, section 4). */
function requestConfig(
  { name, cniVersion }: NetworkList,
  plugin: PluginConfig,
  command: PluginCommand,
  { offers = {}, previous, more = {} }: CallInput,
): JsonObject {
  const { capabilities: _, ...own } = plugin
  const runtimeConfig = runtimeConfigFor(plugin, offers)
  // DEL has the result since 0.4.0; older plugins may refuse members they do not know.
  const hasPrevious = previous && (command !== 'DEL' || hasSince(cniVersion, '0.4.0'))
  return {
    ...own,
    name,
    cniVersion,
    ...(runtimeConfig ? { runtimeConfig } : {}),
    ...(hasPrevious ? { prevResult: convertResult(previous, cniVersion) } : {}),
    ...more,
  }
}

function resultOf(answer: unknown, { cniVersion }: NetworkList, { type }: PluginConfig): CniResult {
  try {
    return parseResult(answer, cniVersion)
  } catch (error) {
    const { message } = asKeelsonError(error)
    throw new PluginError(
      'INTERNAL',
      `CNI plugin "${type}" answered ADD with a wrong result: ${message}`,
      type,
    )
  }
}

/** Goes on after a failure; then throws the first, which names the others. */
async function everyOne(
  plugins: readonly PluginConfig[],
  call: (one: PluginConfig) => Promise<unknown>,
): Promise<void> {
  const failures: KeelsonError[] = []
  for (const plugin of plugins) await call(plugin).catch((error) => failures.push(asKeelsonError(error)))
  const [first, ...others] = failures
  if (!first) return
  if (others.length === 0) throw first
  throw new KeelsonError(first.code, failures.map(({ message }) => message).join('; and '), {
    op: 'CNI',
    cause: first,
  })
}
