import { StatusError } from '../status.ts'

/** One entry of an Accept header, or a Content-Type: `application/json;as=Table;v=v1;g=meta.k8s.io`. */
export interface MediaType {
  type: string
  parameters: Readonly<Record<string, string>>
}

/** How an answer is to look: format of the bytes and form of the object. */
export interface Negotiated {
  format: 'json' | 'yaml'
  form: 'object' | 'table' | 'metadata'
  /** Version of Table or PartialObjectMetadata that was asked for. */
  version: 'v1' | 'v1beta1'
}

const plain: Negotiated = { format: 'json', form: 'object', version: 'v1' }
const forms: Record<string, Negotiated['form']> = {
  Table: 'table',
  PartialObjectMetadata: 'metadata',
  PartialObjectMetadataList: 'metadata',
}

export function parseMediaTypes(header: string): MediaType[] {
  return header.split(',').map((entry) => {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim())
    const pairs = parameters
      .map((parameter) => parameter.split('='))
      .map(([key = '', value = '']) => [key, value])
    return { type: type.toLowerCase(), parameters: Object.fromEntries(pairs) as Record<string, string> }
  })
}

const negotiated = new Map<string, Negotiated>()

/** The first entry of an Accept header that we can serve; 406 when there is none. */
export function negotiate(accept: string | undefined): Negotiated {
  if (accept === undefined || accept === '') return plain
  let found = negotiated.get(accept)
  if (!found) {
    found = parseMediaTypes(accept)
      .map(serve)
      .find((one) => one !== undefined)
    if (!found) throw notAcceptable()
    if (negotiated.size < 1000) negotiated.set(accept, found)
  }
  return found
}

function serve({ type, parameters }: MediaType): Negotiated | undefined {
  const format = formatOf(type)
  if (!format) return undefined
  const { as, v = 'v1', g = 'meta.k8s.io' } = parameters
  if (as === undefined) return { ...plain, format }
  const form = forms[as]
  if (!form || g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined
  return { format, form, version: v }
}

function formatOf(type: string): Negotiated['format'] | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  return type === 'application/yaml' ? 'yaml' : undefined
}

function notAcceptable(): StatusError {
  return new StatusError(
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/yaml, ' +
      'application/json;as=Table, application/json;as=PartialObjectMetadata',
  )
}
