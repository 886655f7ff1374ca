import * as v from 'valibot'
import { parseCidr } from '../../base/index.ts'
import type { NetworkMode } from '../../network/index.ts'
import { setting } from '../settings.ts'
import { text, wholeNumber } from './values.ts'

const podCidrsWanted = 'a list of an IPv4 network like 10.42.0.0/16, and perhaps one of IPv6, is expected'

/** Who makes the network of pods, and with which addresses. */
export const networkSettings = {
  mode: setting<NetworkMode>(
    v.picklist(['auto', 'builtin', 'cni'] as const, 'one of auto, builtin, cni is expected'),
    'auto',
    'Who makes the network of pods (docs/reference/network.md). auto: CNI plugins where confDir has a configuration when a pod is made, else the built-in network.',
    { name: 'network', value: 'MODE', help: 'auto, builtin or cni (auto)' },
  ),
  podCidrs: setting(
    v.pipe(
      v.array(v.string(), podCidrsWanted),
      v.check((blocks) => isOnePerFamily(blocks), podCidrsWanted),
    ),
    ['10.42.0.0/16'],
    "Addresses for pods of this node in the built-in network: an IPv4 range, and an IPv6 range for pods that are to have both, as fd00:42::/64. A kubelet's own pod CIDR does not change them.",
    { name: 'pod-cidr', value: 'CIDR[,CIDR]', help: 'addresses of pods (10.42.0.0/16)' },
  ),
  cni: {
    confDir: setting(
      text('the path of a directory is expected'),
      '/etc/cni/net.d',
      'Where the network is described: the first right file in the order of names, .conflist, .conf or .json.',
      { name: 'cni-conf-dir', value: 'DIR', help: 'where CNI networks are described (/etc/cni/net.d)' },
    ),
    binDirs: setting(
      v.pipe(v.array(v.string()), v.nonEmpty('a list of directories is expected')),
      ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'],
      'Where plugins lie; the first directory that has one wins.',
      {
        name: 'cni-bin-dirs',
        value: 'DIR[,DIR]',
        help: 'where CNI plugins lie (/opt/cni/bin,/usr/lib/cni,…)',
      },
    ),
    cacheDir: setting(
      text('the path of a directory is expected'),
      '',
      'Results of plugins, needed to take networks down, also after a reboot. Empty: node/cni in dataDirectory.',
    ),
    timeoutMs: setting(
      wholeNumber(1000, 600_000, 'milliseconds from 1000 to 600000 are expected'),
      60_000,
      'How long, in milliseconds, one call of a plugin may take before it is killed.',
    ),
    garbageCollect: setting(
      v.boolean('true or false is expected'),
      false,
      'Whether plugins are told at start to remove what belongs to no pod of this instance (GC). Only where nobody else uses the networks in confDir: pods of another runtime would lose their addresses.',
    ),
  },
} as const

function isOnePerFamily(blocks: readonly string[]): boolean {
  const families = blocks.map(familyOf).sort().join()
  return families === '4' || families === '4,6'
}

function familyOf(block: string): 4 | 6 | undefined {
  try {
    return parseCidr(block).family
  } catch {
    return undefined
  }
}
