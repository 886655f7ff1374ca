import { existsSync, readFileSync, statSync } from 'node:fs'
import { hasErrno } from '../base/index.ts'

/**
 * The files by which the compiler knows this machine. Handed in, so that it can be asked of one process what another
 * one sees (src/cli/oci/compile-service/witness.ts).
 */
export interface HostView {
  exists(path: string): boolean
  isDirectory(path: string): boolean
  /** Undefined where there is no such file. */
  read(path: string): string | undefined
  /** `major:minor` of what a path shows now; undefined where it leads nowhere, or where this user may not look. */
  deviceAt(path: string): string | undefined
}

/** As this process sees it. Small reads from procfs and sysfs: instant. */
export const thisHost: HostView = {
  exists: (path) => existsSync(path),
  isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  /** Linux packs the device number as makedev(3) does: 12 bits of major, 20 of minor, the low byte of minor first. */
  deviceAt(path) {
    const dev = deviceNumber(path)
    if (dev === undefined) return undefined
    return `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`
  },
}

function deviceNumber(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.dev
  } catch (error) {
    if (hasErrno(error, 'EACCES')) return undefined
    throw error
  }
}
