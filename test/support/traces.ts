import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { IsolatedCluster } from './isolated-cluster.ts'

/** What of a cluster, or of an endpoint alone, says where to look. */
export type Traced = Pick<IsolatedCluster, 'network' | 'directory' | 'instance' | 'runDirectory'>

/** Everything a cluster leaves on its machine while it runs, as far as it can be seen from outside. */
export interface Traces {
  /** Processes in its network or cgroups, with its directories on the command line or open. */
  processes: string[]
  mounts: string[]
  cgroups: string[]
  links: string
  addresses: string
  routes: string
  rules: string
  nftables: string
  /** Below /proc/sys/net of its network, without what only counts. */
  sysctls: Record<string, string>
  /** Listening TCP addresses and named unix sockets of its network. */
  sockets: string[]
  runFiles: string[]
}

export async function findTraces(cluster: Traced): Promise<Traces> {
  const inside = async (command: string, ...args: string[]) =>
    (await cluster.network.run(command, args)).stdout
  const ip = (...args: string[]) => inside('/bin/busybox', 'ip', ...args)
  return {
    processes: processesOf(cluster),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(cluster.directory) || line.includes(cluster.instance)),
    cgroups: await cgroupsOf(cluster.instance),
    links: (await ip('-o', 'link')).replaceAll(/ qlen \d+/g, ''),
    addresses: await ip('-o', 'address'),
    routes: await ip('route', 'show', 'table', 'all'),
    rules: await ip('rule'),
    nftables: await inside('/usr/sbin/nft', 'list', 'ruleset'),
    sysctls: parseSysctls(await inside('/bin/sh', '-c', 'cd /proc/sys/net && grep -rs . .; true')),
    sockets: listeners(await inside('/bin/sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix')),
    // Whose path leads to the namespaces that are kept ready, fewer or more of them at any moment.
    runFiles: (await readdir(cluster.runDirectory, { recursive: true }).catch(() => [])).filter(
      (name) => !/^netns\/ready-/.test(name),
    ),
  }
}

function processesOf({ instance, directory, network }: Traced): string[] {
  const namespace = link(`/proc/${network.holderPid}/ns/net`)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== network.holderPid)
    .filter((pid) => !/^State:\s*Z/m.test(read(`/proc/${pid}/status`)))
    .filter(
      (pid) =>
        link(`/proc/${pid}/ns/net`) === namespace ||
        read(`/proc/${pid}/cgroup`).includes(`/${instance}`) ||
        read(`/proc/${pid}/cmdline`).includes(directory) ||
        openFiles(pid).some((path) => path.startsWith(directory)),
    )
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
    .filter((line) => !line.includes('docker-registry')) // the test's own, it serves the images
}

async function cgroupsOf(instance: string): Promise<string[]> {
  const found: string[] = []
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (!entry.isDirectory()) continue
      const path = join(folder, entry.name)
      if (entry.name.includes(instance)) found.push(path)
      else await walk(path)
    }
  }
  await walk('/sys/fs/cgroup')
  return found
}

/** proc_net_tcp(5): the fourth column is the state, 0A for listening. proc_net_unix(5): the eighth is the name. */
function listeners(text: string): string[] {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/))
  return rows.flatMap((row) => {
    if (row[3] === '0A') return [row[1] ?? '']
    return row.length === 8 && /^[/@]/.test(row[7] ?? '') ? [row[7] ?? ''] : []
  })
}

/** Counters change by themselves; /proc/sys/net/unix and the like are not the network's own where they repeat. */
function parseSysctls(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => !/nf_conntrack_count|file-nr/.test(line))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

const openFiles = (pid: string): string[] =>
  list(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`))

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** What one has and the other has not, line by line; empty when nothing changed. */
export function differences(before: Traces, after: Traces): string[] {
  const [one, other] = [lines(before), lines(after)]
  return [
    ...[...other].filter((line) => !one.has(line)).map((line) => `+ ${line}`),
    ...[...one].filter((line) => !other.has(line)).map((line) => `- ${line}`),
  ]
}

function lines(traces: Traces): Set<string> {
  const of = (value: Traces[keyof Traces]): string[] => {
    if (typeof value === 'string') return value.split('\n').filter((line) => line !== '')
    return Array.isArray(value)
      ? value
      : Object.entries(value).map(([name, content]) => `${name} = ${content}`)
  }
  return new Set(
    Object.entries(traces).flatMap(([kind, value]) => of(value).map((line) => `${kind}: ${line}`)),
  )
}
