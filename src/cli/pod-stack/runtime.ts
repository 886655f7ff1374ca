import { createRuntime, openSystemdSlices, type SystemdSlices } from '../../oci/index.ts'
import { pathsOf } from '../paths.ts'
import type { PodStackOptions } from './options.ts'

/** The runtime that makes containers of pods. */
export function openRuntime({ config, clock, log }: PodStackOptions): ReturnType<typeof createRuntime> {
  return createRuntime({
    missingControllers: 'tell',
    stateRoot: pathsOf(config).containers,
    instance: config.instance,
    cgroupManager: config.cgroupDriver,
    env: process.env,
    clock,
    log: log.child({ part: 'oci' }),
  })
}

/** With the systemd driver; FAILED_PRECONDITION where there is no systemd. */
export async function openSlices({ config, clock }: PodStackOptions): Promise<SystemdSlices | undefined> {
  return config.cgroupDriver === 'systemd' ? await openSystemdSlices({ clock, env: process.env }) : undefined
}
