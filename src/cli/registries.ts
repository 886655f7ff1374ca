import { stat } from 'node:fs/promises'
import * as v from 'valibot'
import type { Logger } from '../base/index.ts'
import { endpointsOf, type Mirrors } from '../image/registry/mirrors.ts' // not all of the image store
import { readCertsDirectory } from './certs-directory.ts'
import { checked, readYamlFile } from './checked.ts'
import { Followed } from './followed.ts'

const capabilities = ['pull', 'resolve', 'push'] as const
const address = v.pipe(v.string(), v.nonEmpty('an address is expected'))

const server = {
  plainHttp: v.exactOptional(v.boolean()),
  skipVerify: v.exactOptional(v.boolean()),
  caFile: v.exactOptional(v.union([v.string(), v.array(v.string())])),
  clientCertFile: v.exactOptional(v.string()),
  clientKeyFile: v.exactOptional(v.string()),
  headers: v.exactOptional(v.record(v.string(), v.string())),
}

const endpointSchema = v.strictObject({
  url: address,
  capabilities: v.exactOptional(
    v.array(v.picklist(capabilities, 'one of pull, resolve, push is expected'), 'a list is expected'),
  ),
  overridePath: v.exactOptional(v.boolean()),
  ...server,
})

/** One entry of the table, in the words of `Mirror` in src/image/registry/mirrors.ts. */
export const mirrorSchema = v.strictObject({
  endpoints: v.array(v.union([address, endpointSchema]), 'a list of addresses is expected'),
  server: v.exactOptional(v.union([address, endpointSchema])),
  onlyMirrors: v.exactOptional(v.boolean()),
  ...server,
})

/** Mirrors by registry host: from a YAML file, or from a directory as containerd has it (`HOST/hosts.toml`). */
export async function readRegistries(path: string): Promise<Mirrors> {
  const status = await stat(path).catch(() => undefined)
  const hint = 'name a YAML file like: docker.io: { endpoints: ["http://127.0.0.1:5000"] }'
  const table = status?.isDirectory()
    ? await readCertsDirectory(path)
    : await readYamlFile(path, 'registries file', hint)
  const mirrors = checked(v.record(v.string(), mirrorSchema), table, (key) => `${path}: ${key}`)
  for (const host of Object.keys(mirrors)) endpointsOf(host, mirrors) // is told now, not at the first pull
  return mirrors
}

/** What a configuration says: the table, or where it is; nothing is no table. */
export async function tableOf(registries: string | Mirrors): Promise<Mirrors> {
  if (typeof registries !== 'string') return registries
  return registries === '' ? {} : await readRegistries(registries)
}

/** The table as it is whenever somebody asks. */
export async function followRegistries(
  registries: string | Mirrors,
  log: Logger,
): Promise<() => Promise<Mirrors>> {
  if (typeof registries !== 'string' || registries === '') return () => tableOf(registries)
  const table = await Followed.open({ paths: [registries], read: () => readRegistries(registries), log })
  return () => table.value()
}
