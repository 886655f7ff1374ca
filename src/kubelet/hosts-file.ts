import type { Pod } from '../api/index.ts'

const header = '# Written by keelson for this pod; changes are lost with the pod.'

/** The /etc/hosts of a pod with a network of its own: loopback names, the pod's addresses, hostAliases. */
export function podHostsFile(pod: Pod, podIPs: readonly string[], hostname: string, domain: string): string {
  const { subdomain } = pod.spec ?? {}
  const fqdn = subdomain ? `${hostname}.${subdomain}.${pod.metadata?.namespace}.svc.${domain}` : undefined
  return text([
    header,
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...podIPs.map((ip) => [ip, ...(fqdn ? [fqdn] : []), hostname].join('\t')),
    ...aliasLines(pod),
  ])
}

/** The /etc/hosts of a pod in the host's network: the host's own lines, then hostAliases. */
export function hostNetworkHostsFile(pod: Pod, hostText: string): string {
  return text([hostText.trimEnd(), ...aliasLines(pod)])
}

function aliasLines(pod: Pod): string[] {
  const aliases = pod.spec?.hostAliases ?? []
  return aliases.map(({ ip, hostnames = [] }) => [ip, ...hostnames].join('\t'))
}

function text(lines: string[]): string {
  return `${lines.join('\n')}\n`
}
