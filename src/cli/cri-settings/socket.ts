import * as v from 'valibot'
import { setting } from '../settings.ts'
import { text, wholeNumber } from './values.ts'

/** Where CRI is served, and to whom. */
export const socketSettings = {
  path: setting(text('a path is expected'), '', 'Where CRI is served. Empty: cri.sock in runDirectory.', {
    name: 'cri-socket',
    value: 'PATH',
    help: 'where CRI is served (RUN-DIR/cri.sock)',
  }),
  mode: setting(
    v.pipe(v.string(), v.regex(/^0?[0-7]{3}$/, 'permissions like "0660" are expected')),
    '0600',
    'Permissions of the socket, octal. Whoever may connect is root of this machine in all but name.',
  ),
  group: setting(
    text('a name or number is expected'),
    '',
    'Group that the socket belongs to, by name or number. Empty: that of the process.',
  ),
  answerBytesMax: setting(
    wholeNumber(65_536, 268_435_456, 'bytes from 65536 to 268435456 are expected'),
    16_777_216,
    "Longest answer of a call in bytes; a longer one is RESOURCE_EXHAUSTED. Kubernetes' clients take no more than the default.",
  ),
} as const
