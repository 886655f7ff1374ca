import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup } from '../../src/base/index.ts'
import { busyboxName, writeBusyboxArchive } from './busybox-image.ts'
import { EngineHost } from './engine-host.ts'
import type { Engine } from './engine-suite.ts'
import { guideSnippet } from './guide.ts'
import type { CommandResult, RunOptions } from './own-network.ts'
import { findPeer, type PeerName, peerEnvironment } from './peers.ts'

export const podmanPeers: readonly PeerName[] = ['podman', 'conmon', 'catatonit']

/** Debian's podman and conmon on a machine of their own, with the busybox image. */
export interface PodmanHost extends Engine {
  /** Told of the runtime by containers.conf alone, or with `bare` by `--runtime PATH` alone. */
  command(args: readonly string[], options?: PodmanOptions): Promise<CommandResult>
  /** `podman run` of the image with this script. */
  shell(flags: readonly string[], script: string, options?: PodmanOptions): Promise<CommandResult>
}

export type PodmanOptions = RunOptions & { bare?: boolean }

export async function startPodmanHost(runtime: string): Promise<PodmanHost> {
  await using undo = new Cleanup()
  const host = await undo.use(EngineHost.create('podman', podmanPeers))
  const withLines = join(host.folder, 'containers.conf')
  const withoutLines = join(host.folder, 'bare.conf')
  const conmon = `conmon_path = ["${await conmonIn(host.folder)}"]\n`
  const own = `[engine]\n${conmon}cgroup_manager = "cgroupfs"\n`
  await writeFile(
    withLines,
    guideSnippet('oci-runtime', 'With Podman', { '/usr/local/bin/keelson-oci': runtime }).replace(
      '[engine]\n',
      own,
    ),
  )
  await writeFile(withoutLines, `[engine]\n${conmon}`)
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}'
  await host.shell(`mkdir -p /etc/containers; echo '${policy}' > /etc/containers/policy.json`)
  const globals = ['--events-backend=file', '--storage-driver=overlay']
  const bareGlobals = [...globals, '--cgroup-manager=cgroupfs', '--runtime', runtime]
  const podman = (args: readonly string[], { bare = false, ...options }: PodmanOptions = {}) =>
    host.run('podman', [...(bare ? bareGlobals : globals), ...args], {
      ...options,
      env: { CONTAINERS_CONF: bare ? withoutLines : withLines, ...options.env },
    })
  // No CAP_SYS_RESOURCE here, and all has to stay below our cgroup.
  const runFlags = [
    ...['--network=none', '--cgroup-parent', host.cgroup],
    ...['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=4096:4096'],
  ]
  const loaded = await podman(['load', '--input', await writeBusyboxArchive(host.folder)])
  if (loaded.code !== 0) throw new Error(`podman load: ${loaded.stderr}`)
  return Object.assign(undo.move(), {
    host,
    command: podman,
    runFlags,
    image: busyboxName,
    shell: (flags: readonly string[], script: string, options?: PodmanOptions) =>
      podman(['run', ...runFlags, ...flags, busyboxName, 'sh', '-c', script], options),
    commandLine: (args: readonly string[]) =>
      `CONTAINERS_CONF=${withLines} podman ${[...globals, ...args].map(quoted).join(' ')}`,
  })
}

/** Podman starts it without the variable by which an unpacked one finds its libraries. */
async function conmonIn(folder: string): Promise<string> {
  const { LD_LIBRARY_PATH: libraries } = peerEnvironment(['conmon'])
  const path = findPeer('conmon') ?? ''
  if (libraries === undefined) return path
  const script = join(folder, 'conmon')
  await writeFile(script, `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${path} "$@"\n`, { mode: 0o755 })
  return script
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
