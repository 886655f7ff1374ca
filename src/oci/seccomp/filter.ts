import { resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import type { HostFacts } from '../host-facts.ts'
import type { Seccomp, Spec } from '../spec.ts'
import { maxInstructions } from './bpf.ts'
import { compileSeccompCached } from './cache.ts'
import type { CompiledFilter, CompileOptions } from './compile.ts'
import { filterFlags } from './flags.ts'
import type { StoredFilters } from './stored.ts'

/** crun's annotations, which mean the same here. */
const annotation = {
  bpfData: 'run.oci.seccomp_bpf_data',
  failUnknown: 'run.oci.seccomp_fail_unknown_syscall',
  receiver: 'run.oci.seccomp.receiver',
} as const

/** Those that weaken or redirect a filter, and a profile in a configuration cannot. */
export const unsafeSeccompAnnotations = [annotation.bpfData, annotation.receiver]

/** Who answers the calls that the filter leaves to a listener. */
export interface Listener {
  /** Absolute path of its Unix socket. */
  path: string
  metadata?: string
}

export interface ContainerFilter extends CompiledFilter {
  listener?: Listener
}

export interface FilterRequest extends Pick<Spec, 'annotations' | 'linux'> {
  /** Relative paths are the bundle's. */
  bundle: string
  host: Pick<HostFacts, 'seccompFlags'>
  filters?: StoredFilters | undefined
}

/** The filter of a container and of what is executed in it, if it has one. Pure; INVALID_ARGUMENT with the JSON path. */
export function containerFilter(request: FilterRequest): ContainerFilter | undefined {
  const { annotations = {}, linux } = request
  const profile = linux?.seccomp
  const data = annotations[annotation.bpfData]
  const listener = listenerOf(request)
  if (data !== undefined)
    return withListener(rawFilter(data, profile, listener !== undefined, request), listener)
  if (!profile) return undefined
  const failUnknown = (annotations[annotation.failUnknown] ?? '0') !== '0'
  return withListener(
    compileSeccompCached(profile, optionsOf(request, failUnknown), request.filters),
    listener,
  )
}

/** No object at all where nothing differs from the default: the cache then knows a frozen profile without its text. */
function optionsOf({ linux, host }: FilterRequest, failUnknown: boolean): CompileOptions | undefined {
  const flags = linux?.seccomp?.flags === undefined ? undefined : host.seccompFlags
  if (!failUnknown && flags === undefined) return undefined
  return {
    ...(failUnknown ? { failUnknown } : {}),
    ...(flags === undefined ? {} : { supportedFlags: flags }),
  }
}

function listenerOf({ annotations = {}, linux, bundle }: FilterRequest): Listener | undefined {
  const { listenerPath, listenerMetadata: metadata } = linux?.seccomp ?? {}
  const path = listenerPath || annotations[annotation.receiver]
  if (path) return { path: resolve(bundle, path), ...(metadata === undefined ? {} : { metadata }) }
  if (metadata === undefined || metadata === '') return undefined
  throw invalid('listenerMetadata', 'there is no listener to send it to', 'set linux.seccomp.listenerPath')
}

function withListener(filter: CompiledFilter, listener: Listener | undefined): ContainerFilter {
  if (!filter.notify) return filter
  if (listener) return { ...filter, listener }
  throw invalid(
    'listenerPath',
    'missing, but SCMP_ACT_NOTIFY is used',
    'set it to the Unix socket of whoever is to answer',
  )
}

/** A filter that somebody else made: the kernel checks its instructions. */
function rawFilter(
  data: string,
  profile: Seccomp | undefined,
  notify: boolean,
  { host }: FilterRequest,
): CompiledFilter {
  const program = Buffer.from(data, 'base64')
  const count = program.length / 8
  if (
    program.toString('base64') !== data.trim() ||
    !Number.isInteger(count) ||
    count < 1 ||
    count > maxInstructions
  ) {
    const path = `annotations[${JSON.stringify(annotation.bpfData)}]`
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: not a BPF program`, {
      path,
      hint: `write struct sock_filter[] in base64, 1 to ${maxInstructions} instructions of 8 bytes`,
    })
  }
  return {
    program,
    flags: filterFlags(profile ?? {}, notify, profile?.flags ? host.seccompFlags : ~0),
    notify,
    ignored: [],
  }
}

function invalid(field: string, what: string, hint: string): KeelsonError {
  const path = `linux.seccomp.${field}`
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${what}`, { path, hint })
}
