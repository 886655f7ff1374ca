import { KeelsonError } from '../../base/index.ts'

/** What a server may be asked: for content by its digest, for what a tag means, to take content. */
export type Capability = 'pull' | 'resolve' | 'push'

/** How to talk to a server. */
export interface ServerSettings {
  /** Use http for addresses without a scheme. Loopback hosts do so by default. */
  plainHttp?: boolean
  /** Take any certificate. */
  skipVerify?: boolean
  /** PEM files of authorities to trust besides the usual ones. */
  caFile?: string | readonly string[]
  /** PEM files with which we identify ourselves; both or none. */
  clientCertFile?: string
  clientKeyFile?: string
  /** Sent with every request, but not to where a redirect leads. */
  headers?: Readonly<Record<string, string>>
}

export interface MirrorEndpoint extends ServerSettings {
  /** `host[:port][/prefix]` or a URL; images of `library/nginx` are then at `/v2/prefix/library/nginx`. */
  url: string
  /** Default: `pull` and `resolve`. */
  capabilities?: readonly Capability[]
  /** The URL's path is that of the API itself: `/v2` is not put before it. */
  overridePath?: boolean
}

/** Where to look for the images of one registry host. Settings are for the host and all endpoints; theirs go first. */
export interface Mirror extends ServerSettings {
  /** Asked in this order, before the host itself. */
  endpoints: readonly (string | MirrorEndpoint)[]
  /** Where the host itself is to be found, when not at its own name. */
  server?: string | MirrorEndpoint
  /** Never ask the host itself. */
  onlyMirrors?: boolean
}

/** Registry host (`docker.io`, `localhost:5000`) → its mirrors; `*` stands for every host that has no entry. */
export type Mirrors = Readonly<Record<string, Mirror>>

/** One server that may have a host's images. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, without a slash at its end. */
  origin: string
  /** What comes before the repository in a path: `/v2`, `/v2/library-copies`. */
  root: string
  /** For messages: `registry-1.docker.io`, `127.0.0.1:5000 (mirror of docker.io)`. */
  name: string
  /** Credentials are for the registry itself, not for whoever mirrors it, nor for one server that stands for all. */
  isMirror: boolean
  /** The registry that a mirror stands for: one mirror may serve several. */
  namespace?: string
  capabilities: readonly Capability[]
  headers: Readonly<Record<string, string>>
  tls: TlsSettings
}

export interface TlsSettings {
  caFiles: readonly string[]
  clientCertFile?: string
  clientKeyFile?: string
  skipVerify: boolean
}

const everything: readonly Capability[] = ['pull', 'resolve', 'push']

/** The servers to ask for images of this host, in order. INVALID_ARGUMENT for an endpoint that is no address. */
export function endpointsOf(host: string, mirrors: Mirrors): Endpoint[] {
  const mirror = own(mirrors, host) ?? own(mirrors, '*') ?? { endpoints: [] }
  const listed = mirror.endpoints.map((one): Endpoint => {
    const {
      url: text,
      capabilities = ['pull', 'resolve'],
      ...settings
    } = typeof one === 'string' ? { url: one } : one
    const { url, ...server } = readServer(text, { ...mirror, ...settings })
    return {
      ...server,
      name: `${url.host} (mirror of ${host})`,
      isMirror: true,
      namespace: host,
      capabilities,
    }
  })
  const isForAll = mirror.server !== undefined && !Object.hasOwn(mirrors, host)
  return mirror.onlyMirrors ? listed : [...listed, itself(host, mirror, isForAll)]
}

function itself(host: string, mirror: Mirror, isForAll: boolean): Endpoint {
  const address = host === 'docker.io' ? 'registry-1.docker.io' : host
  const {
    url: text = address,
    capabilities = everything,
    ...settings
  } = typeof mirror.server === 'string' ? { url: mirror.server } : (mirror.server ?? {})
  const { url, ...server } = readServer(text, { ...mirror, ...settings })
  const name = mirror.server === undefined ? address : `${url.host} (for ${host})`
  const isElsewhere = url.host !== address
  return { ...server, name, isMirror: isForAll, capabilities, ...(isElsewhere && { namespace: host }) }
}

function readServer(
  text: string,
  settings: ServerSettings & { overridePath?: boolean },
): Pick<Endpoint, 'origin' | 'root' | 'headers' | 'tls'> & { url: URL } {
  const { caFile = [], clientCertFile, clientKeyFile, skipVerify = false, headers = {}, plainHttp } = settings
  if ((clientCertFile === undefined) !== (clientKeyFile === undefined))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `a client certificate for ${text} needs its key, and a key its certificate`,
    )
  const url = endpointUrl(text, plainHttp)
  const path = url.pathname.replace(/^\/+|\/+$/g, '')
  const prefix = settings.overridePath ? path : `v2/${path.replace(/^v2(?:\/|$)/, '')}`
  return {
    url,
    origin: url.origin,
    root: `/${prefix}`.replace(/\/+$/, ''),
    headers,
    tls: {
      caFiles: typeof caFile === 'string' ? [caFile] : caFile,
      skipVerify,
      ...(clientCertFile !== undefined && { clientCertFile }),
      ...(clientKeyFile !== undefined && { clientKeyFile }),
    },
  }
}

function endpointUrl(text: string, plainHttp: boolean | undefined): URL {
  const withScheme = text.includes('://') ? text : `${isPlain(text, plainHttp) ? 'http' : 'https'}://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url && url.username === '' && url.search === '' && /^https?:$/.test(url.protocol)) return url
  throw new KeelsonError('INVALID_ARGUMENT', `"${text}" is not the address of a registry`, {
    hint: 'write host[:port][/prefix] or an http(s) URL',
  })
}

function isPlain(text: string, plainHttp: boolean | undefined): boolean {
  return plainHttp ?? /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:\/|$)/.test(text)
}

function own(mirrors: Mirrors, host: string): Mirror | undefined {
  return Object.hasOwn(mirrors, host) ? mirrors[host] : undefined
}
