import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findCriTool } from '../../scripts/cri-tools.mjs'
import { Cleanup } from '../../src/base/index.ts'
import { critestHosts, critestImages } from './critest-images.ts'
import { EngineHost } from './engine-host.ts'
import { eventually } from './eventually.ts'
import type { CommandResult, RunOptions } from './own-network.ts'
import { findPeer } from './peers.ts'

const launcher = fileURLToPath(new URL('../../bin/keelson', import.meta.url))
const registryAddress = '127.0.0.1:5000'

/**
 * A machine of its own with `keelson cri` as somebody would start it, and a registry that serves the images of
 * critest under their own names. critest and crictl run on it as on a node.
 */
export interface CriHost extends AsyncDisposable {
  readonly host: EngineHost
  /** As `--runtime-endpoint` wants it. */
  readonly endpoint: string
  readonly serverLog: string
  crictl(args: readonly string[], options?: RunOptions): Promise<CommandResult>
}

export async function startCriHost(kind: string, flags: readonly string[] = []): Promise<CriHost> {
  await using undo = new Cleanup()
  const images = await critestImages()
  const host = await undo.use(EngineHost.create(kind, ['docker-registry', 'iptables']))
  await startRegistry(host, images)
  const registries = join(host.folder, 'registries.yaml')
  const mirror = { endpoints: [`http://${registryAddress}`], plainHttp: true, onlyMirrors: true }
  await writeFile(registries, JSON.stringify(Object.fromEntries(critestHosts.map((name) => [name, mirror]))))
  const runDirectory = join(host.folder, 'run')
  const own = ['--instance', host.cgroup, '--run-dir', runDirectory, '--data-dir', join(host.folder, 'data')]
  const server = host.start(launcher, ['cri', ...own, '--registries', registries, ...flags])
  const socket = join(runDirectory, 'cri.sock')
  const endpoint = `unix://${socket}`
  const crictl = (args: readonly string[], options?: RunOptions) =>
    host.run(
      findCriTool('crictl') ?? 'crictl',
      ['--runtime-endpoint', endpoint, '--timeout', '30s', ...args],
      options,
    )
  await eventually(
    'keelson cri answers',
    async () => {
      if (server.exitCode !== null) throw new Error(`keelson cri ended, see ${host.logOf(launcher)}`)
      return (await crictl(['version'])).code === 0
    },
    30_000,
  )
  return Object.assign(undo.move(), { host, endpoint, crictl, serverLog: host.logOf(launcher) })
}

async function startRegistry(host: EngineHost, images: string): Promise<void> {
  const config = join(host.folder, 'registry.yaml')
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: images }, maintenance: { readonly: { enabled: true } } },
    http: { addr: registryAddress, secret: 'test' },
  }
  await writeFile(config, JSON.stringify(settings)) // JSON is YAML
  host.start(findPeer('docker-registry') ?? '', ['serve', config])
}
