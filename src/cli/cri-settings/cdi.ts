import * as v from 'valibot'
import { setting } from '../settings.ts'

/** Devices of vendors (Container Device Interface). */
export const cdiSettings = {
  directories: setting(
    v.array(
      v.pipe(v.string(), v.startsWith('/', 'an absolute path is expected')),
      'a list of directories is expected',
    ),
    ['/etc/cdi', '/var/run/cdi'],
    'Where CDI files lie; what a later directory has comes before the same device of an earlier one. They are read when a container asks for a device. Empty list: no CDI devices.',
  ),
} as const
