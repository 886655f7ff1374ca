import { MetricType } from '../../../cri/types.ts'
import type { Pressures } from '../../oci/index.ts'
import { type MetricFamily, sample } from './family.ts'

const resources: readonly [name: keyof Pressures, words: string][] = [
  ['cpu', 'a processor'],
  ['memory', 'memory'],
  ['io', 'a device'],
]

/** Pressure stall information (Documentation/accounting/psi.rst); absent where the kernel does not count it. */
export const pressureFamilies: readonly MetricFamily[] = resources.flatMap(
  ([name, words]): MetricFamily[] => [
    {
      name: `container_pressure_${name}_waiting_seconds_total`,
      help: `Time in which some of its tasks waited for ${words}, in seconds.`,
      type: MetricType.COUNTER,
      read: ({ usage }) => sample(wholeSeconds(usage.pressure[name]?.some.total)),
    },
    {
      name: `container_pressure_${name}_stalled_seconds_total`,
      help: `Time in which all of its tasks waited for ${words}, in seconds.`,
      type: MetricType.COUNTER,
      read: ({ usage }) => sample(wholeSeconds(usage.pressure[name]?.full.total)),
    },
  ],
)

function wholeSeconds(us: bigint | undefined): bigint | undefined {
  return us === undefined ? undefined : us / 1_000_000n
}
