import * as v from 'valibot'
import { setting } from '../settings.ts'
import { wholeNumber } from './values.ts'

/** Exec, attach and port-forward. */
export const streamingSettings = {
  address: setting(
    v.pipe(v.string(), v.ip('an IP address of this machine is expected')),
    '127.0.0.1',
    'Where exec, attach and port-forward are served. Whoever holds a URL may use it once, so nobody else should reach it; a kubelet on this machine needs no more than the default.',
  ),
  port: setting(
    wholeNumber(0, 65_535, 'a port number, or 0, is expected'),
    0,
    'Port of the streaming server. 0: any that is free.',
  ),
} as const
