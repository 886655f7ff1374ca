import { join, resolve } from 'node:path'
import { KeelsonError } from '../base/index.ts'
import { checked, readYamlFile } from './checked.ts'
import type { Given, Options } from './command.ts'
import { type CriConfig, criSettings } from './cri-settings/index.ts'
import { defaultDocument, flagsOf, namedSettings, schemaOf } from './settings.ts'

/**
 * The configuration of `keelson cri`: defaults, then the file that `--config` names, then flags. A setting that does
 * not exist or has a wrong value is INVALID_ARGUMENT with its path in the file, or the flag that said it.
 */
export const criOptions: Options = {
  config: {
    type: 'string',
    value: 'FILE',
    help: 'YAML configuration; `keelson cri config default` prints one with everything',
  },
  ...flagsOf(criSettings),
}

export async function resolveCriConfig(flags: Given): Promise<CriConfig> {
  const { config: path } = flags
  const document =
    typeof path === 'string'
      ? await readYamlFile(path, 'configuration', '`keelson cri config default` prints one')
      : {}
  const saidBy = new Map<string, string>()
  const merged = namedSettings(criSettings).reduce((whole, { path, setting: { flag, initial } }) => {
    const given = flag && flags[flag.name]
    if (typeof given !== 'string') return whole
    saidBy.set(path.join('.'), `--${flag?.name}`)
    return withValue(whole, path, Array.isArray(initial) ? given.split(',') : given)
  }, document)
  const where = (key: string) =>
    saidBy.get(key.replace(/\.\d+$/, '')) ?? [path, key].filter(Boolean).join(': ')
  return absolute(consistent(checked(schemaOf(criSettings), merged, where), where))
}

/** What a cluster's node runs with: its own settings, and the defaults for the rest. */
export function criConfigWith(settings: object): CriConfig {
  return absolute(checked(schemaOf(criSettings), settings, (key) => key))
}

/** What is wrong only beside another setting. */
function consistent(config: CriConfig, where: (key: string) => string): CriConfig {
  const { highPercent, lowPercent } = config.images.garbage
  if (lowPercent < highPercent) return config
  const path = 'images.garbage.lowPercent'
  const why = `less than highPercent, ${highPercent}, is expected, not ${lowPercent}`
  throw new KeelsonError('INVALID_ARGUMENT', `${where(path)}: ${why}`, { path })
}

/** A commented document with every setting at its default. */
export function defaultCriConfig(): string {
  return `# Configuration of keelson cri: every setting with its default.\n\n${defaultDocument(criSettings)}`
}

/** Directories may be named from where the command was given; whatever is started later runs elsewhere. */
function absolute(config: CriConfig): CriConfig {
  const runDirectory = resolve(config.runDirectory)
  const path = config.socket.path === '' ? join(runDirectory, 'cri.sock') : resolve(config.socket.path)
  return {
    ...config,
    dataDirectory: resolve(config.dataDirectory),
    runDirectory,
    socket: { ...config.socket, path },
  }
}

function withValue(tree: unknown, [name = '', ...below]: readonly string[], value: unknown): unknown {
  const known = typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? tree : {}
  return { ...known, [name]: below.length === 0 ? value : withValue(Reflect.get(known, name), below, value) }
}
