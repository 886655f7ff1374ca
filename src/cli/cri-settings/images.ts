import { setting } from '../settings.ts'
import { imageGarbageSettings } from './image-garbage.ts'
import { unpackSettings } from './unpack.ts'
import { text, wholeNumber } from './values.ts'

/** Where images come from. */
export const imagesSettings = {
  parallelLayers: setting(
    wholeNumber(1, 64, 'a number from 1 to 64 is expected'),
    4,
    'How many layers are downloaded and unpacked at a time, of all pulls together.',
  ),
  registries: setting(
    text('the path of a file is expected'),
    '',
    'YAML file of mirrors by registry host, or a directory of them as containerd has it (docs/guides/registries.md). What is changed there counts at the next pull; a mistake is logged, and what was there before stays. Empty: none.',
    {
      name: 'registries',
      value: 'FILE',
      help: 'YAML table of mirrors by registry host, or a certs.d directory',
    },
  ),
  credentials: setting(
    text('the path of a file is expected'),
    '',
    'File of registry credentials as docker login and podman login write it, credential helpers included; asked when a pull brings none, and read then. Empty: none.',
    { name: 'credentials', value: 'FILE', help: 'registry credentials, as docker login writes them' },
  ),
  projectIds: {
    first: setting(
      wholeNumber(1, 4_294_967_294, 'a number from 1 to 4294967294 is expected'),
      1_200_000_000,
      'Least project id given to a writable layer, where the disk has project quotas. Nobody else on that disk should use the range; an id that something belongs to is passed over.',
    ),
    count: setting(
      wholeNumber(1, 2 ** 31, 'a number from 1 to 2147483648 is expected'),
      1_000_000,
      'How many project ids there are: most writable layers at a time.',
    ),
  },
  unpack: unpackSettings,
  garbage: imageGarbageSettings,
} as const
