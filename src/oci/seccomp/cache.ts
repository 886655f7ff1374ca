import { encodeExactJson } from '../../base/index.ts'
import type { Seccomp } from '../spec.ts'
import { type CompiledFilter, type CompileOptions, compileSeccomp } from './compile.ts'
import type { StoredFilters } from './stored.ts'

const most = 64
const byText = new Map<string, CompiledFilter>()
const byProfile = new WeakMap<Seccomp, CompiledFilter>()
const frozen = new WeakSet<Seccomp>()

/**
 * `compileSeccomp`, remembered by the profile's text: a node has a handful of profiles and thousands of containers.
 * Only a profile that nobody can change any more (`frozenProfile`) is known again by its object alone.
 */
export function compileSeccompCached(
  profile: Seccomp,
  options?: CompileOptions,
  stored?: StoredFilters,
): CompiledFilter {
  const isFixed = options === undefined && frozen.has(profile)
  const known = isFixed ? byProfile.get(profile) : undefined
  if (known) return known
  const filter = compileByText(profile, options, stored)
  if (isFixed) byProfile.set(profile, filter)
  return filter
}

const texts = new WeakMap<Seccomp, string>()

/** The JSON text of a profile that nobody can change any more; undefined for others. */
export function fixedProfileText(profile: Seccomp): string | undefined {
  if (!frozen.has(profile)) return undefined
  const text = texts.get(profile) ?? encodeExactJson(profile)
  texts.set(profile, text)
  return text
}

/** Freezes a profile with everything in it. */
export function frozenProfile(profile: Seccomp): Seccomp {
  freezeAll(profile)
  frozen.add(profile)
  return profile
}

function compileByText(
  profile: Seccomp,
  options: CompileOptions = {},
  stored?: StoredFilters,
): CompiledFilter {
  const key = encodeExactJson([profile, options])
  const known = byText.get(key)
  if (known) return known
  const found = stored?.find(key)
  const filter = found ?? compileSeccomp(profile, options)
  if (!found) stored?.keep(key, filter)
  const [oldest] = byText.keys()
  if (byText.size >= most && oldest !== undefined) byText.delete(oldest)
  byText.set(key, filter)
  return filter
}

function freezeAll(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value)
  for (const inner of Object.values(value)) freezeAll(inner)
}
