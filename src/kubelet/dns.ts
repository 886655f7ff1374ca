import type * as cri from '../../cri/types.ts'
import type { Pod } from '../api/index.ts'

export interface ClusterDns {
  /** Addresses of the cluster's DNS Service. */
  servers: readonly string[]
  /** `cluster.local` */
  domain: string
}

/** What the host's own /etc/resolv.conf says. */
export interface ResolvConf {
  servers: string[]
  searches: string[]
  options: string[]
}

const serversMax = 3
const searchesMax = 32

export function parseResolvConf(text: string): ResolvConf {
  const found: ResolvConf = { servers: [], searches: [], options: [] }
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && rest[0]) found.servers.push(rest[0])
    if (word === 'search' || word === 'domain') found.searches = rest.filter((one) => one !== '.')
    if (word === 'options') found.options.push(...rest)
  }
  return found
}

/**
 * The resolver of a pod by its dnsPolicy. ClusterFirst without a cluster DNS, or in the host's network (unless
 * ClusterFirstWithHostNet), is the host's resolver; dnsConfig is merged on top, its options replace namesakes.
 */
export function dnsConfig(pod: Pod, cluster: ClusterDns | undefined, host: ResolvConf): cri.DNSConfig {
  const base = baseConfig(pod, cluster, host)
  const extra = pod.spec?.dnsConfig ?? {}
  const added = (extra.options ?? []).map(({ name = '', value }) => (value ? `${name}:${value}` : name))
  const names = new Set(added.map(optionName))
  return {
    servers: unique([...base.servers, ...(extra.nameservers ?? [])]).slice(0, serversMax),
    searches: unique([...base.searches, ...(extra.searches ?? [])]).slice(0, searchesMax),
    options: [...base.options.filter((one) => !names.has(optionName(one))), ...added],
  }
}

function baseConfig(pod: Pod, cluster: ClusterDns | undefined, host: ResolvConf): ResolvConf {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst'
  if (policy === 'None') return { servers: [], searches: [], options: [] }
  const wantsCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork)
  if (!wantsCluster || !cluster || cluster.servers.length === 0) return host
  const { domain } = cluster
  const namespace = pod.metadata?.namespace ?? 'default'
  return {
    servers: [...cluster.servers],
    searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
    options: ['ndots:5'],
  }
}

function optionName(option: string): string {
  return option.split(':')[0] ?? option
}

function unique(values: string[]): string[] {
  return [...new Set(values)]
}
