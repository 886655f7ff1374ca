import type { Host } from './host.ts'

/** `failed`: keelson cannot work. `warning`: it works without something, and the detail says without what. */
export interface Finding {
  result: 'ok' | 'warning' | 'failed'
  detail: string
}

/** Where things are kept on the machine that is looked at. */
export interface Places {
  dataDirectory: string
  runDirectory: string
}

export interface Check {
  readonly name: string
  readonly look: (host: Host, places: Places) => Finding
}

export const ok = (detail: string): Finding => ({ result: 'ok', detail })
export const warning = (detail: string): Finding => ({ result: 'warning', detail })
export const failed = (detail: string): Finding => ({ result: 'failed', detail })

/** `[6, 1]` of `6.1.0-18-amd64`. */
export function kernelVersion(host: Host): readonly [major: number, minor: number] {
  const release = host.read('/proc/sys/kernel/osrelease') ?? ''
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return [Number(major), Number(minor)]
}

export function isAtLeast(host: Host, major: number, minor: number): boolean {
  const [ownMajor, ownMinor] = kernelVersion(host)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** A number in a file of the kernel's; `max` and what is not there are Infinity. */
export function numberIn(host: Host, path: string): number {
  const value = Number(host.read(path)?.trim() ?? 'max')
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value
}
