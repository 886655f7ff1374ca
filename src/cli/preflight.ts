import { existsSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { KeelsonError } from '../base/index.ts'
import type { Context } from './context.ts'

/** What must hold before anything is touched; the first failure is one line that says what to do. */
export function requireRoot({ isRoot }: Context): void {
  if (isRoot) return
  throw new KeelsonError(
    'PERMISSION_DENIED',
    'this needs root: namespaces, cgroups and mounts are made for real',
    {
      hint: 'run it with sudo',
    },
  )
}

export interface Check {
  name: string
  result: 'ok' | 'warning' | 'failed'
  detail: string
}

/** Facts of this machine that keelson depends on, each with what it means when it does not hold. */
export async function checkMachine(dataDirectory: string): Promise<Check[]> {
  return Promise.all([
    kernel(),
    filesystem('overlay'),
    cgroups(),
    nftables(),
    seccomp(),
    resourceCapability(),
    inotify(),
    space(dataDirectory),
  ])
}

async function kernel(): Promise<Check> {
  const release = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim()
  const [major = 0, minor = 0] = release.split('.').map(Number)
  const enough = major > 5 || (major === 5 && minor >= 14)
  return {
    name: 'kernel',
    result: enough ? 'ok' : 'failed',
    detail: enough ? release : `${release}: 5.14 or newer is needed`,
  }
}

async function filesystem(name: string): Promise<Check> {
  const known = (await readFile('/proc/filesystems', 'utf8')).split(/\s+/).includes(name)
  return {
    name,
    result: known ? 'ok' : 'failed',
    detail: known ? 'available' : `the kernel has no ${name} file system: load the module ${name}`,
  }
}

async function cgroups(): Promise<Check> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '))
  const v1 = mounts.filter(([, , type, options]) => type === 'cgroup' && !options?.includes('name=')).length
  const v2 = mounts.some(([, , type]) => type === 'cgroup2')
  const mode = v1 > 0 ? (v2 ? 'hybrid' : 'v1') : v2 ? 'v2' : 'none'
  return {
    name: 'cgroups',
    result: mode === 'none' ? 'failed' : 'ok',
    detail:
      mode === 'none'
        ? 'no cgroup file system is mounted'
        : mode === 'v2'
          ? 'v2'
          : `${mode}, ${v1} controllers on v1`,
  }
}

async function nftables(): Promise<Check> {
  const path = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft', '/usr/local/sbin/nft'].find((one) =>
    existsSync(one),
  )
  return {
    name: 'nftables',
    result: path ? 'ok' : 'failed',
    detail: path ?? 'the program nft is missing: install the package nftables',
  }
}

async function seccomp(): Promise<Check> {
  const has = existsSync('/proc/sys/kernel/seccomp/actions_avail')
  return {
    name: 'seccomp',
    result: has ? 'ok' : 'failed',
    detail: has ? 'filters available' : 'the kernel has no seccomp filters',
  }
}

async function resourceCapability(): Promise<Check> {
  const status = await readFile('/proc/self/status', 'utf8')
  const effective = BigInt(`0x${/^CapEff:\s*(\S+)/m.exec(status)?.[1] ?? '0'}`)
  const has = (effective >> 24n) % 2n === 1n
  return {
    name: 'CAP_SYS_RESOURCE',
    result: has ? 'ok' : 'warning',
    detail: has
      ? 'held'
      : 'not held: hard rlimits cannot be raised and oom_score_adj cannot be lowered for containers',
  }
}

async function inotify(): Promise<Check> {
  const instances = Number(await readFile('/proc/sys/fs/inotify/max_user_instances', 'utf8'))
  return {
    name: 'inotify',
    result: instances >= 16 ? 'ok' : 'warning',
    detail: `${instances} instances (keelson uses two at most)`,
  }
}

async function space(dataDirectory: string): Promise<Check> {
  const folder = existsSync(dataDirectory) ? dataDirectory : '/var/lib'
  const { bavail, bsize } = await statfs(folder)
  const freeGib = (bavail * bsize) / 2 ** 30
  return {
    name: 'disk',
    result: freeGib > 2 ? 'ok' : 'warning',
    detail: `${freeGib.toFixed(1)} GiB free below ${folder}`,
  }
}
