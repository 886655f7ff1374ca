import type { ContainerState } from '../runtime.ts'

/** The state as `state` and `list` print it: the specification's fields, then runc's, in runc's order. */
export interface StateDocument {
  ociVersion: string
  id: string
  pid: number
  status: string
  bundle: string
  rootfs?: string
  /** RFC 3339 with nanoseconds, UTC. */
  created: string
  annotations?: Record<string, string>
  owner: string
}

export function stateDocument(state: Omit<ContainerState, 'startedAtNs' | 'exit'>): StateDocument {
  const { ociVersion, id, pid, status, bundle, rootfs, annotations, createdAtNs } = state
  return {
    ociVersion,
    id,
    pid: status === 'stopped' ? 0 : pid,
    status,
    bundle,
    ...(rootfs === undefined ? {} : { rootfs }),
    created: rfc3339Nano(createdAtNs),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    owner: 'root', // containers of others cannot be made yet
  }
}

/** What stands there is known only when somebody asks. */
export interface Hole {
  hole: 'pid' | 'status'
}

/**
 * The text that `state` prints, as JSON.stringify lays it out, cut at what changes in a container's life. As runc's:
 * it names no owner and ends without a newline.
 */
export function stateTemplate(document: StateDocument): (string | Hole)[] {
  const pieces: (string | Hole)[] = []
  let text = '{'
  for (const [key, value] of Object.entries({ ...document, owner: '' })) {
    text += `${text === '{' ? '' : ','}\n  ${JSON.stringify(key)}: `
    if (key !== 'pid' && key !== 'status') text += JSON.stringify(value, undefined, 2).replace(/\n/g, '\n  ')
    else {
      const quote = key === 'status' ? '"' : ''
      pieces.push(text + quote, { hole: key })
      text = quote
    }
  }
  return [...pieces, `${text}\n}`]
}

/** The same with everything in its place. */
export function stateText(document: StateDocument): string {
  return stateTemplate(document)
    .map((piece) => (typeof piece === 'string' ? piece : document[piece.hole]))
    .join('')
}

export function rfc3339Nano(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`
}
