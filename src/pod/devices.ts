import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerConfig } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { Device } from '../oci/index.ts'

export interface AllowedDevice {
  device: Device
  /** Of `r`, `w`, `m`. */
  access: string
}

/** Of /dev, what a container has its own of (config-linux.md, default devices) or what only belongs to the host. */
const notCopied = new Set([
  'pts',
  'shm',
  'mqueue',
  'fd',
  'console',
  'ptmx',
  'null',
  'zero',
  'full',
  'random',
  'urandom',
  'tty',
])

/** The device nodes a container is to have: those asked for, and with privileged every one of the host. */
export async function devicesOf(config: ContainerConfig): Promise<AllowedDevice[]> {
  const asked = config.devices.map(async ({ hostPath, containerPath, permissions }) => {
    const found = await devicesAt(hostPath, containerPath || hostPath, permissions || 'rwm')
    if (found.length > 0) return found
    throw new KeelsonError('INVALID_ARGUMENT', `there is no device at ${hostPath}`, { path: hostPath })
  })
  const host = config.linux?.securityContext?.privileged ? await hostDevices() : []
  const own = (await Promise.all(asked)).flat()
  const places = new Set(own.map(({ device }) => device.path))
  return [...host.filter(({ device }) => !places.has(device.path)), ...own]
}

async function hostDevices(): Promise<AllowedDevice[]> {
  const names = (await readdir('/dev')).filter((name) => !notCopied.has(name))
  const found = names.map((name) => devicesAt(join('/dev', name), join('/dev', name), 'rwm'))
  return (await Promise.all(found)).flat()
}

/** One device, or all below a directory. */
export async function devicesAt(hostPath: string, path: string, access: string): Promise<AllowedDevice[]> {
  const stats = await stat(hostPath).catch(() => undefined)
  if (!stats) return []
  if (stats.isDirectory()) {
    const names = await readdir(hostPath)
    return (
      await Promise.all(names.map((name) => devicesAt(join(hostPath, name), join(path, name), access)))
    ).flat()
  }
  const type = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : undefined
  return type ? [{ device: { path, type, ...nodeOf(stats) }, access }] : []
}

function nodeOf({ rdev, mode, uid, gid }: Stats): Omit<Device, 'path' | 'type'> {
  // dev_t as glibc packs it, makedev(3); within 32 bits for every real device.
  return {
    major: (rdev >>> 8) & 0xfff,
    minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
    fileMode: mode & 0o777,
    uid,
    gid,
  }
}
