import { type Platform, parsePlatform } from '../../image/index.ts'
import type { Options } from '../command.ts'

export const platformOption = {
  platform: {
    type: 'string',
    value: 'OS/ARCH[/VARIANT]',
    help: 'which image of an index (linux on this processor)',
  },
} as const satisfies Options

/** `linux/arm64/v8`, as an option that may be absent. */
export function readPlatform(text: string | undefined): { platform?: Platform } {
  return text === undefined ? {} : { platform: parsePlatform(text) }
}
