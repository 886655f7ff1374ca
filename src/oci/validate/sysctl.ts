import { shown } from '../shown.ts'
import { fail } from './fail.ts'

const namespaceOf: readonly [RegExp, string][] = [
  [
    /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|msg_next_id|sem_next_id|shm_next_id)|fs\.mqueue\..+)$/,
    'ipc',
  ],
  [/^net\..+$/, 'network'],
  [/^kernel\.(domainname|hostname)$/, 'uts'],
  [/^user\..+$/, 'user'],
]

/** A sysctl that belongs to no namespace of the container would change the host (CVE-2022-0811 for the value). */
export function checkSysctl(name: string, value: string, namespaces: ReadonlySet<string>): void {
  const path = `linux.sysctl[${shown(name)}]`
  const dotted = withDots(name)
  if (dotted.split('.').some((part) => part === '' || part === '/' || part === '..') || /[\s\0]/.test(name))
    fail(path, 'is no sysctl', 'write a name such as net.core.somaxconn')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not reach procfs
  if (/[\x00-\x08\x0a-\x1f+]/.test(value))
    fail(path, 'the value has a character that sysctls do not take', 'write one line without +')
  const namespace = namespaceOf.find(([pattern]) => pattern.test(dotted))?.[1]
  if (namespace === undefined)
    fail(path, 'is not divided by namespaces: it would change the host', 'set it on the host')
  if (!namespaces.has(namespace))
    fail(path, `needs a ${namespace} namespace`, `add {"type": "${namespace}"} to linux.namespaces`)
}

/** `net/ipv4/conf/eth0.1/forwarding` is `net.ipv4.conf.eth0/1.forwarding`: the first separator decides (sysctl(8)). */
function withDots(name: string): string {
  if (/[./]/.exec(name)?.[0] !== '/') return name
  return name.replace(/[./]/g, (one) => (one === '/' ? '.' : '/'))
}
