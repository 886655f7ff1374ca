import { KeelsonError } from '../../base/index.ts'
import { isObject, type JsonObject, Members } from './json.ts'
import { type CniVersion, cniVersions, newestKnown } from './version.ts'

/**
 * A network as an administrator describes it: plugins to be called one after the other. CNI specification 1.1.0,
 * section 1, and the older form of a single plugin.
 */
export interface NetworkList {
  name: string
  /** The newest version that the file allows and we speak; plugins are called with it. */
  cniVersion: CniVersion
  disableCheck: boolean
  disableGC: boolean
  plugins: readonly PluginConfig[]
}

/** Members as they stand in the file; what they mean is the plugin's business. */
export type PluginConfig = JsonObject & { type: string }

export interface ParsedList extends Omit<NetworkList, 'plugins'> {
  inlined: readonly PluginConfig[]
  /** Further plugins may lie in files of their own, in a folder of the network's name beside this file. */
  hasPluginFolder: boolean
}

const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** Reads a `.conflist`. INVALID_ARGUMENT says which file and which member. */
export function parseNetworkList(text: string, path: string): ParsedList {
  const json = parseJson(text, path)
  const members = new Members(json, path)
  const onlyInlined = members.flag('loadOnlyInlinedPlugins')
  if (members.has('plugins') && members.list('plugins').length === 0)
    throw members.wrong('"plugins" is empty')
  if (onlyInlined && !members.has('plugins')) throw members.wrong('"plugins" is missing')
  return {
    name: nameOf(members),
    cniVersion: versionOf(members),
    disableCheck: members.flag('disableCheck'),
    disableGC: members.flag('disableGC'),
    inlined: members.list('plugins').map((plugin, index) => pluginOf(plugin, `${path}: plugins[${index}]`)),
    hasPluginFolder: !onlyInlined,
  }
}

/** Reads a `.conf` or `.json` of former times: one plugin that is a network by itself. */
export function parseNetwork(text: string, path: string): ParsedList {
  const json = parseJson(text, path)
  const members = new Members(json, path)
  if (members.has('plugins'))
    throw members.wrong('a list of plugins belongs into a file that ends in .conflist')
  return {
    name: nameOf(members),
    cniVersion: versionOf(members),
    disableCheck: false,
    disableGC: false,
    inlined: [pluginOf(json, path)],
    hasPluginFolder: false,
  }
}

/** Reads one plugin of a network's folder. */
export function parsePlugin(text: string, path: string): PluginConfig {
  return pluginOf(parseJson(text, path), path)
}

function nameOf(members: Members): string {
  const name = members.text('name') ?? ''
  if (nameForm.test(name)) return name
  throw members.wrong(name === '' ? '"name" is missing' : `"${name}" cannot be the name of a network`)
}

function versionOf(members: Members): CniVersion {
  const named = members.text('cniVersion')
  const all = [...members.texts('cniVersions'), ...(named === undefined ? [] : [named])]
  const version = newestKnown(all)
  if (version) return version
  const asked = all.length === 0 ? '"cniVersion" is missing' : `CNI ${all.join(', ')} is not spoken here`
  throw members.wrong(`${asked}: there are ${cniVersions.join(', ')}`)
}

function pluginOf(plugin: unknown, where: string): PluginConfig {
  const members = new Members(plugin, where)
  const type = members.text('type') ?? ''
  // It becomes the name of a program, and nothing but a name.
  if (type === '' || type.includes('/') || type.includes('\0') || type === '.' || type === '..')
    throw members.wrong(type === '' ? '"type" is missing' : `"${type}" cannot be the name of a plugin`)
  members.members('capabilities')
  return { ...(plugin as JsonObject), type }
}

function parseJson(text: string, path: string): unknown {
  try {
    const json: unknown = JSON.parse(text)
    if (isObject(json)) return json
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new KeelsonError('INVALID_ARGUMENT', `${path} is not JSON: ${what}`, { path, cause })
  }
  throw new KeelsonError('INVALID_ARGUMENT', `${path} is not a JSON object`, { path })
}
