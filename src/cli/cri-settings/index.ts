import * as v from 'valibot'
import { setting, type Values } from '../settings.ts'
import { cdiSettings } from './cdi.ts'
import { containersSettings } from './containers.ts'
import { imagesSettings } from './images.ts'
import { logSettings } from './log.ts'
import { metricsSettings } from './metrics.ts'
import { networkSettings } from './network.ts'
import { socketSettings } from './socket.ts'
import { streamingSettings } from './streaming.ts'
import { text } from './values.ts'

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
  socket: socketSettings,
  cgroupDriver: setting<'cgroupfs' | 'systemd'>(
    v.picklist(['cgroupfs', 'systemd'] as const, 'one of cgroupfs, systemd is expected'),
    'cgroupfs',
    'Who makes the cgroups of pods; told to the kubelet by RuntimeConfig. cgroupfs: we do, on cgroup v1, v2 and hybrid hosts. systemd: the system manager, a scope cri-keelson-ID.scope for each container in the slice of its pod; the start is refused where none answers.',
  ),
  network: networkSettings,
  streaming: streamingSettings,
  images: imagesSettings,
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
  containers: containersSettings,
  cdi: cdiSettings,
  log: logSettings,
  metrics: metricsSettings,
} as const

export type CriConfig = Values<typeof criSettings>
