import { asKeelsonError, type Clock, hasErrno, KeelsonError } from '../base/index.ts'
import { systemBusAddress } from '../dbus/index.ts'
import { SystemdManager } from './cgroup/systemd/manager.ts'

/** Slices of the system's systemd, for whoever puts containers into slices of its own. */
export interface SystemdSlices {
  /** With every unit in it. One that is gone is fine, and so is a systemd that is. */
  stop(slice: string): Promise<void>
}

interface SystemdOptions {
  clock: Clock
  /** May name the message bus. */
  env: Readonly<Record<string, string | undefined>>
}

/** FAILED_PRECONDITION where no systemd answers: better at the start than at the first pod. */
export async function openSystemdSlices({ clock, env }: SystemdOptions): Promise<SystemdSlices> {
  const address = systemBusAddress(env)
  try {
    await using manager = await SystemdManager.open(address, clock)
    await manager.property('Version')
  } catch (cause) {
    const { message } = asKeelsonError(cause)
    throw new KeelsonError('FAILED_PRECONDITION', `no systemd answers at ${address}: ${message}`, {
      cause,
      hint: 'use the cgroup driver cgroupfs, here and for the kubelet, or start keelson where systemd runs',
    })
  }
  return {
    async stop(slice) {
      try {
        await using manager = await SystemdManager.open(address, clock)
        await manager.stopUnit(slice)
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ECONNREFUSED')) throw error
      }
    },
  }
}
