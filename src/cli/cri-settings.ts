import * as v from 'valibot'
import { type LogLevel, parseCidr } from '../base/index.ts'
import type { NetworkMode } from '../network/index.ts'
import { setting, type Values } from './settings.ts'

const podCidrsWanted = 'a list of an IPv4 network like 10.42.0.0/16, and perhaps one of IPv6, is expected'

/** Everything that `keelson cri` can be told; docs/reference/configuration.md is made from it. */
export const criSettings = {
  instance: setting(
    v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,19}$/, 'a short lower-case name is expected')),
    'keelson',
    'Keeps several runtimes on one machine apart: it names cgroups, nftables tables and interfaces.',
    { name: 'instance', value: 'NAME', help: 'keeps several runtimes on one machine apart (keelson)' },
  ),
  dataDirectory: setting(
    text('the path of a directory is expected'),
    '/var/lib/keelson',
    'State that outlives a reboot: images, writable layers, records of pods. On a file system that can carry overlays.',
    { name: 'data-dir', value: 'DIR', help: 'state that outlives a reboot (/var/lib/keelson)' },
  ),
  runDirectory: setting(
    text('the path of a directory is expected'),
    '/run/keelson',
    'State that a reboot takes: sockets, running containers, pinned namespaces. In memory (tmpfs), or starts are slow.',
    { name: 'run-dir', value: 'DIR', help: 'sockets and running containers (/run/keelson)' },
  ),
  socket: {
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
  },
  cgroupDriver: setting(
    v.picklist(['cgroupfs'], 'pods are placed with "cgroupfs"; another driver is not served'),
    'cgroupfs',
    'Who makes the cgroups of pods; told to the kubelet by RuntimeConfig. Only cgroupfs is served, on cgroup v1, v2 and hybrid hosts.',
  ),
  network: {
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
  },
  streaming: {
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
  },
  images: {
    parallelLayers: setting(
      wholeNumber(1, 64, 'a number from 1 to 64 is expected'),
      4,
      'How many layers are downloaded and unpacked at a time, of all pulls together.',
    ),
    registries: setting(
      text('the path of a file is expected'),
      '',
      'YAML file of mirrors by registry host, or a directory of them as containerd has it (docs/guides/registries.md). Empty: none.',
      {
        name: 'registries',
        value: 'FILE',
        help: 'YAML table of mirrors by registry host, or a certs.d directory',
      },
    ),
    credentials: setting(
      text('the path of a file is expected'),
      '',
      'File of registry credentials as docker login and podman login write it, credential helpers included; asked when a pull brings none. Empty: none.',
    ),
  },
  runtimeHandlers: setting(
    v.pipe(
      v.array(
        v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'names like keelson are expected')),
      ),
      v.nonEmpty('a list of names is expected'),
    ),
    ['keelson'],
    'Names by which a RuntimeClass may ask for this runtime, as those of a runtime that was here before. All are one and the same, and so is the default, which has no name.',
  ),
  containers: {
    pidsMax: setting(
      wholeNumber(0, 4_194_304, 'a number of processes, or 0, is expected'),
      0,
      'Most processes and threads of one container. 0: no limit but that of its pod, which a kubelet sets.',
    ),
    execDrainMs: setting(
      wholeNumber(0, 60_000, 'milliseconds from 0 to 60000 are expected'),
      250,
      'How long, in milliseconds, ExecSync still reads output after its command ended while children of the command hold the pipes.',
    ),
  },
  log: {
    level: setting<LogLevel>(
      v.picklist(['debug', 'info', 'warn', 'error'] as const, 'one of debug, info, warn, error is expected'),
      'info',
      'Least level of lines to write: debug, info, warn or error. At debug every call is a line.',
      { name: 'log-level', value: 'LEVEL', help: 'debug, info, warn or error (info)' },
    ),
    format: setting<'json' | 'text'>(
      v.picklist(['json', 'text'] as const, 'one of json, text is expected'),
      'json',
      'json: one object a line, with time, level, msg. text: the same for people.',
      { name: 'log-format', value: 'FORMAT', help: 'json or text (json)' },
    ),
  },
  metrics: {
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
  },
} as const

export type CriConfig = Values<typeof criSettings>

function text(message: string) {
  return v.string(message)
}

function wholeNumber(low: number, high: number, message: string): v.GenericSchema<unknown, number> {
  return v.pipe(
    v.unknown(),
    v.check((value) => Number.isInteger(value) && Number(value) >= low && Number(value) <= high, message),
    v.transform(Number),
  )
}

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
