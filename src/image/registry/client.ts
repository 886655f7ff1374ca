import { type Clock, KeelsonError, type Logger } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'
import type { Reference } from '../reference.ts'
import { Connection, type RegistryTimeouts, type Timeouts } from './connection.ts'
import { Dispatchers } from './dispatchers.ts'
import { type Endpoint, endpointsOf, type Mirrors } from './mirrors.ts'
import { Repository } from './repository.ts'
import type { Source } from './source.ts'

export interface RegistryClientOptions {
  /** A table, or who is asked for it whenever a repository is opened. */
  mirrors: Mirrors | (() => Promise<Mirrors>)
  log: Logger
  clock: Clock
  timeouts?: RegistryTimeouts
  random?: () => number
}

const defaultTimeouts: Timeouts = {
  answerMs: 30_000,
  storeMs: 900_000,
  stallMs: 60_000,
  paceBytes: 1024,
}

/** A client of registries (OCI distribution spec 1.1, Docker registry v2), mirrors included. */
export class RegistryClient implements AsyncDisposable {
  readonly #options: RegistryClientOptions
  readonly #dispatchers = new Dispatchers()

  constructor(options: RegistryClientOptions) {
    this.#options = options
    const { mirrors } = options
    if (typeof mirrors !== 'function') for (const host of Object.keys(mirrors)) endpointsOf(host, mirrors)
  }

  /** A look at one repository with one set of credentials; tokens are kept as long as it. */
  async open(reference: Reference, auth: RegistryAuth = {}): Promise<Repository> {
    const { mirrors, log, clock, random = Math.random } = this.#options
    const endpoints = endpointsOf(reference.host, typeof mirrors === 'function' ? await mirrors() : mirrors)
    if (endpoints.length === 0)
      throw new KeelsonError(
        'FAILED_PRECONDITION',
        `no mirror of ${reference.host} is configured, and itself forbidden`,
      )
    const sources = endpoints.map((endpoint) => this.#source(endpoint, endpoint.isMirror ? {} : auth))
    const elsewhere = async (url: URL) => ({ ...this.#source(strangerAt(url), {}), url })
    return new Repository({ reference, sources, elsewhere, retry: { log, clock, random } })
  }

  #source(endpoint: Endpoint, auth: RegistryAuth): Source {
    const { clock } = this.#options
    const timeouts = { ...defaultTimeouts, ...this.#options.timeouts }
    const dispatcher = () => this.#dispatchers.get(endpoint.tls)
    return { endpoint, connection: new Connection({ endpoint, auth, dispatcher, clock, timeouts }) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatchers[Symbol.asyncDispose]()
  }
}

/** A server that an image names for some of its content: it gets neither credentials nor headers of ours. */
function strangerAt(url: URL): Endpoint {
  const tls = { caFiles: [], skipVerify: false }
  return {
    origin: url.origin,
    root: '',
    name: url.host,
    isMirror: true,
    capabilities: ['pull'],
    headers: {},
    tls,
  }
}
