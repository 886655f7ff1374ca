import { type ImageDoor, reachImageStore } from '../../image/index.ts'
import type { Options, OptionValues } from '../command.ts'
import { configOptions, resolveConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { pathsOf } from '../paths.ts'
import { tableOf } from '../registries.ts'

/** Where the images are. Every image command takes this. */
export const placeOptions = { 'data-dir': configOptions['data-dir'] } as const satisfies Options

export const jsonOption = {
  json: { type: 'boolean', help: 'JSON instead of a table' },
} as const satisfies Options

/** The store of this data directory: of the process that has it open, or opened for this command. */
export async function openDoor(
  { clock, logger }: Context,
  flags: OptionValues<typeof placeOptions>,
): Promise<ImageDoor> {
  const config = await resolveConfig(flags)
  return reachImageStore({
    dataDirectory: pathsOf(config).images,
    mirrors: () => tableOf(config.registries),
    clock,
    log: logger('warn'),
  })
}
