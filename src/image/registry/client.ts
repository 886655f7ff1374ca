import { type Clock, KeelsonError, type Logger } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'
import type { Reference } from '../reference.ts'
import { Connection, type RegistryTimeouts, type Timeouts } from './connection.ts'
import { Dispatchers } from './dispatchers.ts'
import { endpointsOf, type Mirrors } from './mirrors.ts'
import { Repository } from './repository.ts'

export interface RegistryClientOptions {
  mirrors: Mirrors
  log: Logger
  clock: Clock
  timeouts?: RegistryTimeouts
  random?: () => number
}

const defaultTimeouts: Timeouts = { answerMs: 30_000, stallMs: 60_000, paceBytes: 1024 }

/** A client of registries (OCI distribution spec 1.1, Docker registry v2), mirrors included. */
export class RegistryClient implements AsyncDisposable {
  readonly #options: RegistryClientOptions
  readonly #dispatchers = new Dispatchers()

  constructor(options: RegistryClientOptions) {
    this.#options = options
    for (const host of Object.keys(options.mirrors)) endpointsOf(host, options.mirrors)
  }

  /** A look at one repository with one set of credentials; tokens are kept as long as it. */
  async open(reference: Reference, auth: RegistryAuth = {}): Promise<Repository> {
    const { mirrors, log, clock, random = Math.random } = this.#options
    const endpoints = endpointsOf(reference.host, mirrors)
    if (endpoints.length === 0)
      throw new KeelsonError(
        'FAILED_PRECONDITION',
        `no mirror of ${reference.host} is configured, and itself forbidden`,
      )
    const timeouts = { ...defaultTimeouts, ...this.#options.timeouts }
    const sources = await Promise.all(
      endpoints.map(async (endpoint) => {
        const dispatcher = await this.#dispatchers.get(endpoint.tls)
        const own = endpoint.isMirror ? {} : auth
        return { endpoint, connection: new Connection({ endpoint, auth: own, dispatcher, clock, timeouts }) }
      }),
    )
    return new Repository(reference, sources, { log, clock, random })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatchers[Symbol.asyncDispose]()
  }
}
