import * as v from 'valibot'
import { setting } from '../settings.ts'

/** What others measure us by. */
export const metricsSettings = {
  address: setting(
    v.pipe(
      v.string(),
      v.regex(/^$|^(?:\[[0-9a-fA-F:]+\]|[0-9.]+):\d{1,5}$/, 'an address like 127.0.0.1:9180 is expected'),
    ),
    '',
    'Address and port of the Prometheus metrics at /metrics, plain http, like 127.0.0.1:9180. Empty: none.',
    {
      name: 'metrics-address',
      value: 'ADDRESS',
      help: 'serve Prometheus metrics there, as 127.0.0.1:9180',
    },
  ),
} as const
