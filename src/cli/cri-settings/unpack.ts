import { setting } from '../settings.ts'
import { wholeNumber } from './values.ts'

/** What a layer may cost: an image is somebody else's data. */
export const unpackSettings = {
  bytesMax: setting(
    wholeNumber(2 ** 20, 2 ** 50, 'bytes from 1048576 to 1125899906842624 are expected'),
    64 * 2 ** 30,
    'Most bytes of one layer, uncompressed; of an archive that is loaded, too. Nine tenths of the free disk are a limit in any case.',
  ),
  entriesMax: setting(
    wholeNumber(1, 1_000_000_000, 'a number from 1 to 1000000000 is expected'),
    2_000_000,
    'Most files, directories and links of one layer. Nine tenths of the free inodes are a limit in any case.',
  ),
  depthMax: setting(
    wholeNumber(1, 2048, 'a number from 1 to 2048 is expected'),
    1024,
    'Most names in a path of a layer.',
  ),
  ratioMax: setting(
    wholeNumber(0, 1_000_000, 'a number up to 1000000 is expected'),
    0,
    'Most bytes that a layer of more than 64 MiB may have uncompressed for each compressed one. gzip reaches 1032 with nothing but zeros, zstd more. 0: any, within the other limits.',
  ),
} as const
