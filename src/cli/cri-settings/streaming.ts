import * as v from 'valibot'
import { setting } from '../settings.ts'
import { text, wholeNumber } from './values.ts'

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
  idleTimeoutMs: setting(
    wholeNumber(1000, 86_400_000, 'milliseconds from 1000 to 86400000 are expected'),
    14_400_000,
    'After how long, in milliseconds, a connection on which nothing moves is closed.',
  ),
  tls: {
    certificate: setting(
      text('the path of a file is expected'),
      '',
      'PEM file of the certificate, with those between it and its authority; then only TLS is spoken. A changed file counts for the next connection. Empty: no TLS.',
    ),
    key: setting(text('the path of a file is expected'), '', "PEM file of the certificate's key."),
    clientCa: setting(
      text('the path of a file is expected'),
      '',
      'PEM file of authorities; then only clients with a certificate of one of them are served. Empty: whoever has a URL is.',
    ),
  },
} as const
