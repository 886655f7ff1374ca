import { readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import * as v from 'valibot'
import { hasErrno, KeelsonError, parseCidr, writeAtomic } from '../base/index.ts'
import type { Mirrors } from '../image/index.ts'
import { checked } from './checked.ts'
import type { Options, OptionValues } from './command.ts'
import { mirrorSchema, readRegistries } from './registries.ts'

/**
 * Everything a cluster on this machine is set up with. Three sources, the later wins: defaults, the `config.json`
 * that the last `up` left in the data directory, the flags of this call. An instance name keeps several clusters
 * on one machine apart: it names cgroups, nftables tables and interfaces.
 */
const portWanted = 'a port number from 1 to 65535 is expected'
const port = v.pipe(
  v.unknown(),
  v.check((value) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536, portWanted),
  v.transform(Number),
)
const cidr = v.pipe(v.string(), v.check(isIPv4Block, 'an IPv4 network like 10.42.0.0/16 is expected'))

const logLevels = ['debug', 'info', 'warn', 'error'] as const

const configSchema = v.object({
  instance: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,19}$/, 'a short lower-case name is expected')),
  dataDirectory: v.string(),
  runDirectory: v.string(),
  nodeName: v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'a DNS name is expected')),
  address: v.pipe(v.string(), v.ip('an IP address of this machine, or 0.0.0.0, is expected')),
  port,
  kubeletPort: port,
  podCidr: cidr,
  serviceCidr: cidr,
  criSocket: v.string(),
  /** A file or directory; the table itself in what an older version saved. */
  registries: v.union([v.string(), v.record(v.string(), mirrorSchema)]),
  credentials: v.string(),
  logLevel: v.picklist(logLevels, 'one of debug, info, warn, error is expected'),
})

export type Config = Omit<v.InferOutput<typeof configSchema>, 'registries'> & {
  registries: string | Mirrors
}

export const configOptions = {
  instance: { type: 'string', value: 'NAME', help: 'keeps several clusters on one machine apart (keelson)' },
  'data-dir': { type: 'string', value: 'DIR', help: 'state that outlives a reboot (/var/lib/keelson)' },
  'run-dir': { type: 'string', value: 'DIR', help: 'sockets and pids (/run/keelson)' },
  'node-name': { type: 'string', value: 'NAME', help: "this machine's name in the cluster (its host name)" },
  address: { type: 'string', value: 'IP', help: 'where the API server and the kubelet listen (0.0.0.0)' },
  port: { type: 'string', value: 'PORT', help: 'port of the API server (6443)' },
  'kubelet-port': { type: 'string', value: 'PORT', help: 'port of the kubelet (10250)' },
  'pod-cidr': { type: 'string', value: 'CIDR', help: 'addresses of pods (10.42.0.0/16)' },
  'service-cidr': { type: 'string', value: 'CIDR', help: 'addresses of services (10.43.0.0/16)' },
  'cri-socket': { type: 'string', value: 'PATH', help: 'where CRI is served (RUN-DIR/cri.sock)' },
  registries: {
    type: 'string',
    value: 'FILE',
    help: 'YAML table of mirrors by registry host, or a certs.d directory',
  },
  credentials: { type: 'string', value: 'FILE', help: 'registry credentials, as docker login writes them' },
  'log-level': { type: 'string', value: 'LEVEL', help: 'debug, info, warn or error (info)' },
} as const satisfies Options

export type ConfigFlags = OptionValues<typeof configOptions>

export async function resolveConfig(flags: ConfigFlags): Promise<Config> {
  const dataDirectory = resolve(flags['data-dir'] ?? '/var/lib/keelson')
  const saved = await readSaved(configPath(dataDirectory))
  const runDirectory = resolve(flags['run-dir'] ?? saved.runDirectory ?? '/run/keelson')
  const merged = {
    instance: 'keelson',
    nodeName: hostname().toLowerCase(),
    address: '0.0.0.0',
    port: 6443,
    kubeletPort: 10_250,
    podCidr: '10.42.0.0/16',
    serviceCidr: '10.43.0.0/16',
    criSocket: join(runDirectory, 'cri.sock'),
    registries: '',
    credentials: '',
    logLevel: 'info',
    ...saved,
    ...fromFlags(flags),
    dataDirectory,
    runDirectory,
  }
  const config = checked(configSchema, merged, flagOf)
  refuseOverlap(config)
  if (flags.registries !== undefined) await readRegistries(flags.registries) // is told now
  return config
}

/** What the last `up` used; undefined when there was none. */
export async function loadSavedConfig(dataDirectory: string): Promise<Partial<Config> | undefined> {
  const saved = await readSaved(configPath(dataDirectory))
  return Object.keys(saved).length > 0 ? saved : undefined
}

/** The file the next `down`, `status` and restart read. */
export async function saveConfig(config: Config): Promise<void> {
  await writeAtomic(configPath(config.dataDirectory), `${JSON.stringify(config, undefined, 2)}\n`)
}

/** As it was before `saveConfig`. */
export async function restoreConfig(
  dataDirectory: string,
  saved: Partial<Config> | undefined,
): Promise<void> {
  const path = configPath(dataDirectory)
  if (saved === undefined) await rm(path, { force: true })
  else await writeAtomic(path, `${JSON.stringify(saved, undefined, 2)}\n`)
}

const configPath = (dataDirectory: string) => join(dataDirectory, 'config.json')

function fromFlags(flags: ConfigFlags): Record<string, unknown> {
  const given = {
    instance: flags.instance,
    nodeName: flags['node-name'],
    address: flags.address,
    port: asNumber(flags.port),
    kubeletPort: asNumber(flags['kubelet-port']),
    podCidr: flags['pod-cidr'],
    serviceCidr: flags['service-cidr'],
    criSocket: flags['cri-socket'],
    registries: pathOf(flags.registries),
    credentials: pathOf(flags.credentials),
    logLevel: flags['log-level'],
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** Daemons run elsewhere. */
const pathOf = (path: string | undefined) => path && resolve(path)

/** What is no number stays as it is, to be shown to whoever wrote it. */
const asNumber = (text: string | undefined) =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : text

async function readSaved(path: string): Promise<Partial<Config>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Partial<Config>
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return {}
    throw new KeelsonError('DATA_LOSS', `${path} cannot be read`, {
      path,
      cause: error,
      hint: 'remove the file to start from the defaults',
    })
  }
}

/** The flag that sets a member: what is wrong is told in the words that somebody typed. */
function flagOf(member: string): string {
  const special: Record<string, string> = { dataDirectory: 'data-dir', runDirectory: 'run-dir' }
  return `--${special[member] ?? member.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Two ranges that share an address would send one's traffic to the other. */
function refuseOverlap({ podCidr, serviceCidr }: Pick<Config, 'podCidr' | 'serviceCidr'>): void {
  const [pods, services] = [parseCidr(podCidr), parseCidr(serviceCidr)]
  const overlap = pods.base < services.base + services.size && services.base < pods.base + pods.size
  if (overlap)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `--pod-cidr ${podCidr} and --service-cidr ${serviceCidr} overlap`,
      {
        hint: 'give them ranges of their own',
      },
    )
}

function isIPv4Block(text: string): boolean {
  try {
    return parseCidr(text).family === 4
  } catch {
    return false
  }
}
