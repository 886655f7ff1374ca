import * as cri from '../../cri/types.ts'
import type { Secret } from '../api/index.ts'

interface DockerAuth {
  username?: string
  password?: string
  auth?: string
  identitytoken?: string
}

/** The credentials that these imagePullSecrets hold for the registry of `image`; undefined when none does. */
export function pullCredentials(image: string, secrets: readonly Secret[]): cri.AuthConfig | undefined {
  const host = registryHost(image)
  for (const { data = {} } of secrets) {
    for (const [registry, auth] of Object.entries(authsOf(data))) {
      if (hostOf(registry) !== host) continue
      const { username = '', password = '', auth: encoded = '', identitytoken: identityToken = '' } = auth
      return cri.AuthConfig.fromPartial({
        username,
        password,
        auth: encoded,
        identityToken,
        serverAddress: host,
      })
    }
  }
  return undefined
}

/** `.dockerconfigjson` holds `{"auths":{host:…}}`, the older `.dockercfg` the inner object. */
function authsOf(data: Record<string, string>): Record<string, DockerAuth> {
  try {
    const { '.dockerconfigjson': modern, '.dockercfg': old } = data
    if (modern !== undefined) return JSON.parse(decode(modern)).auths ?? {}
    return old === undefined ? {} : JSON.parse(decode(old))
  } catch {
    return {} // not ours to refuse: the registry will, if it wants credentials
  }
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString()
}

function registryHost(image: string): string {
  const [first = ''] = image.split('/')
  const named = image.includes('/') && (/[.:]/.test(first) || first === 'localhost')
  return hostOf(named ? first : 'docker.io')
}

function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').split('/')[0] ?? ''
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}
