import { KeelsonError } from '../../base/index.ts'

/** Where else to look for the images of one registry host. */
export interface Mirror {
  /** `host[:port][/prefix]` or a URL; asked in this order, before the host itself. */
  endpoints: readonly string[]
  /** Use http for endpoints without a scheme, and for the host itself. Loopback hosts do so by default. */
  plainHttp?: boolean
  /** PEM file of authorities to trust besides the usual ones, for the endpoints and the host. */
  caFile?: string
  /** Never ask the host itself. */
  onlyMirrors?: boolean
}

/** Registry host (`docker.io`, `localhost:5000`) → its mirrors. */
export type Mirrors = Readonly<Record<string, Mirror>>

/** One server that may have a host's images. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, without a slash at its end. */
  origin: string
  /** Put before the repository: `library-copies`; mostly empty. */
  prefix: string
  /** For messages: `registry-1.docker.io`, `127.0.0.1:5000 (mirror of docker.io)`. */
  name: string
  /** Credentials are for the registry itself, not for whoever mirrors it. */
  isMirror: boolean
  caFile?: string
}

/** The servers to ask for images of this host, in order. INVALID_ARGUMENT for an endpoint that is no address. */
export function endpointsOf(host: string, mirrors: Mirrors): Endpoint[] {
  const mirror = Object.hasOwn(mirrors, host) ? mirrors[host] : undefined
  const ca = mirror?.caFile === undefined ? {} : { caFile: mirror.caFile }
  const listed = (mirror?.endpoints ?? []).map((text) => {
    const url = endpointUrl(text, mirror?.plainHttp)
    const prefix = url.pathname.replace(/^\/+|\/+$/g, '').replace(/^v2\/?/, '')
    return { origin: url.origin, prefix, name: `${url.host} (mirror of ${host})`, isMirror: true, ...ca }
  })
  if (mirror?.onlyMirrors) return listed
  const address = host === 'docker.io' ? 'registry-1.docker.io' : host
  const { origin } = endpointUrl(address, mirror?.plainHttp)
  return [...listed, { origin, prefix: '', name: address, isMirror: false, ...ca }]
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
