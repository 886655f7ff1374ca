import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../../base/index.ts'
import {
  type NetworkList,
  type ParsedList,
  type PluginConfig,
  parseNetwork,
  parseNetworkList,
  parsePlugin,
} from './network-list.ts'

export interface FoundNetwork {
  /** The first file, in the order of names, that is right; undefined when none is. */
  network?: NetworkList & { path: string }
  /** What was passed over before it. */
  refused: KeelsonError[]
}

/**
 * Looks for the network in a directory (`/etc/cni/net.d`), anew at each call: reading a few small files costs less
 * than a plugin's start and needs no watch. A directory that is absent holds no network.
 */
export async function findNetwork(directory: string): Promise<FoundNetwork> {
  const refused: KeelsonError[] = []
  for (const name of await filesOf(directory, ['.conflist', '.conf', '.json'])) {
    const path = join(directory, name)
    try {
      return { network: { ...(await readNetwork(directory, path)), path }, refused }
    } catch (error) {
      refused.push(asKeelsonError(error, { op: 'read network', path }))
    }
  }
  return { refused }
}

async function readNetwork(directory: string, path: string): Promise<NetworkList> {
  const text = await readFile(path, 'utf8')
  const parse = path.endsWith('.conflist') ? parseNetworkList : parseNetwork
  const { inlined, hasPluginFolder, ...network }: ParsedList = parse(text, path)
  const more = hasPluginFolder ? await readPlugins(join(directory, network.name)) : []
  const plugins = [...inlined, ...more]
  if (plugins.length > 0) return { ...network, plugins }
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: "plugins" is missing`, { path })
}

async function readPlugins(folder: string): Promise<PluginConfig[]> {
  const names = await filesOf(folder, ['.conf'])
  return Promise.all(
    names.map(async (name) => parsePlugin(await readFile(join(folder, name), 'utf8'), join(folder, name))),
  )
}

/** In lexical order of bytes, as other runtimes sort them. */
async function filesOf(directory: string, endings: readonly string[]): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
    return names
      .filter((name) => endings.includes(extname(name)))
      .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}
