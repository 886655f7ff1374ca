import { readFileSync } from 'node:fs'
import { hasErrno, KeelsonError } from '../base/index.ts'
import { indexTypes } from './media-types.ts'

/** What a program was built for (image-spec image-index.md). `os.version` and `os.features` say nothing on linux. */
export interface Platform {
  os: string
  architecture: string
  /** `v7`; without one the architecture's oldest that is usual: amd64 v1, arm v7, arm64 v8. */
  variant?: string
}

interface Offered {
  mediaType: string
  platform?: Platform
}

const usualVariant: Record<string, string> = { amd64: 'v1', arm: 'v7', arm64: 'v8' }

/**
 * The entry of an index that runs best on this platform: a processor runs what was built for its own variant and for
 * every older one, newest first. An entry without a platform is taken when no other fits. NOT_FOUND tells what there
 * is instead.
 */
export function selectPlatform<Entry extends Offered>(entries: readonly Entry[], wanted: Platform): Entry {
  const ranked = entries
    .flatMap((entry) => {
      const rank = entry.platform && rankOf(entry.platform, wanted)
      return rank === undefined ? [] : [{ entry, rank }]
    })
    .sort((a, b) => b.rank - a.rank)
  const unnamed = entries.filter(({ platform }) => platform === undefined)
  const chosen =
    ranked[0]?.entry ?? unnamed.find(({ mediaType }) => indexTypes.includes(mediaType)) ?? unnamed[0]
  if (chosen) return chosen
  const offered = entries.map(({ platform }) => platform && formatPlatform(platform)).filter(Boolean)
  throw new KeelsonError(
    'NOT_FOUND',
    `the image is not there for ${formatPlatform(wanted)}, only for ${offered.join(', ') || 'nothing'}`,
  )
}

/** Whether what was built for `have` runs on `wanted`. */
export function runsOn(have: Platform, wanted: Platform): boolean {
  return rankOf(have, wanted) !== undefined
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** `linux/arm/v7`, also `arm64`. INVALID_ARGUMENT. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  const [os = '', architecture = '', variant, ...more] = parts.length === 1 ? ['linux', ...parts] : parts
  const names = [os, architecture, variant ?? 'v1']
  if (more.length > 0 || !names.every((name) => /^[a-z0-9._-]+$/.test(name)))
    throw new KeelsonError('INVALID_ARGUMENT', `"${text.slice(0, 100)}" is not a platform`, {
      hint: 'write os/architecture or os/architecture/variant, such as linux/arm64',
    })
  return normal({ os, architecture, ...(variant !== undefined && { variant }) })
}

/** linux on the processor that we run on. */
export function ownPlatform(): Platform {
  const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', ia32: '386' }
  const architecture = architectures[process.arch] ?? process.arch
  const variant = architecture === 'amd64' ? amd64Level(processorFlags()) : undefined
  return { os: 'linux', architecture, ...(variant !== undefined && { variant }) }
}

/** What each level adds (x86-64 psABI, "Micro-Architecture Levels"), in the kernel's words. */
const amd64Levels: readonly (readonly string[])[] = [
  ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3'],
  ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'],
  ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
]

export function amd64Level(flags: ReadonlySet<string>): string {
  const missing = amd64Levels.findIndex((level) => !level.every((flag) => flags.has(flag)))
  return `v${(missing < 0 ? amd64Levels.length : missing) + 1}`
}

function processorFlags(): Set<string> {
  try {
    return new Set(/^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' '))
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES')) return new Set()
    throw error
  }
}

/** Higher is better; undefined when it does not run there. */
function rankOf(have: Platform, wanted: Platform): number | undefined {
  const [a, b] = [normal(have), normal(wanted)]
  if (a.os !== b.os || a.architecture !== b.architecture) return undefined
  if (a.variant === b.variant) return Number.MAX_SAFE_INTEGER
  const [offered, own] = [levelOf(a.variant), levelOf(b.variant)]
  return offered !== undefined && own !== undefined && offered <= own ? offered : undefined
}

/** The names that other tools use, and the variant that one without a name means. */
function normal({ os, architecture, variant }: Platform): Platform {
  const names: Record<string, string> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
    i386: '386',
    armhf: 'arm',
  }
  const known = names[architecture] ?? architecture
  const named = variant || usualVariant[known]
  const full = named !== undefined && /^\d/.test(named) ? `v${named}` : named
  return { os, architecture: known, ...(full !== undefined && { variant: full }) }
}

function levelOf(variant: string | undefined): number | undefined {
  const level = /^v(\d+(?:\.\d+)?)$/.exec(variant ?? '')?.[1]
  return level === undefined ? undefined : Number(level)
}
