import { KeelsonError } from '../base/index.ts'
import { isDigest } from './digest.ts'

/** A fully qualified image name: registry host, repository, and a tag, a digest or both. */
export interface Reference {
  /** `docker.io`, `localhost:5000`. */
  host: string
  /** `library/nginx`. */
  repository: string
  tag?: string
  digest?: string
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const hostForm = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const maxNameLength = 255
const defaultHost = 'docker.io'

/**
 * Reads a name as Docker does (distribution reference grammar): without a host it is on docker.io, there without a
 * path below `library/`, and without tag and digest it has the tag `latest`. INVALID_ARGUMENT for anything else.
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : text.slice(at + 1)
  const { name, tag } = splitTag(at < 0 ? text : text.slice(0, at))
  const { host, path } = splitHost(name)
  const repository = host === defaultHost && !path.includes('/') ? `library/${path}` : path
  if (digest !== undefined && !isDigest(digest))
    refuse(text, `${digest || 'nothing'} after @ is not a digest`)
  if (tag !== undefined && !tagForm.test(tag)) refuse(text, 'the tag is malformed')
  if (!hostForm.test(host)) refuse(text, 'the registry host is malformed')
  if (!repository.split('/').every((part) => component.test(part)))
    refuse(text, /[A-Z]/.test(repository) ? 'repository names are lower case' : 'the repository is malformed')
  if (host.length + 1 + repository.length > maxNameLength)
    refuse(text, `longer than ${maxNameLength} characters`)
  return {
    host,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: 'latest' } : {}),
    ...(digest !== undefined && { digest }),
  }
}

/** `docker.io/library/nginx`. */
export function repositoryName(reference: Reference): string {
  return `${reference.host}/${reference.repository}`
}

/** `docker.io/library/nginx:latest`, `docker.io/library/nginx@sha256:…`, or both parts. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${repositoryName(reference)}${tag}${digest}`
}

function splitTag(text: string): { name: string; tag?: string } {
  const colon = text.lastIndexOf(':')
  // A colon before a slash belongs to a host's port.
  if (colon < 0 || text.indexOf('/', colon) >= 0) return { name: text }
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) }
}

/** The first part is a host when it could not be the start of a repository: a dot, a port, capitals, `localhost`. */
function splitHost(name: string): { host: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  if (!isHost) return { host: defaultHost, path: name }
  return { host: first === 'index.docker.io' ? defaultHost : first, path: name.slice(slash + 1) }
}

function refuse(text: string, why: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `"${text.slice(0, 300)}" is not an image name: ${why}`, {
    hint: 'write it as [host[:port]/]repository[:tag][@sha256:…]',
  })
}
