import type { Seccomp } from '../spec.ts'
import { type CompiledFilter, type CompileOptions, compileSeccomp } from './compile.ts'

const most = 64
const cache = new Map<string, CompiledFilter>()

/** `compileSeccomp`, remembered by the profile's text: a node has a handful of profiles and thousands of containers. */
export function compileSeccompCached(profile: Seccomp, options: CompileOptions = {}): CompiledFilter {
  const key = JSON.stringify([profile, options])
  const known = cache.get(key)
  if (known) return known
  const filter = compileSeccomp(profile, options)
  const [oldest] = cache.keys()
  if (cache.size >= most && oldest !== undefined) cache.delete(oldest)
  cache.set(key, filter)
  return filter
}
