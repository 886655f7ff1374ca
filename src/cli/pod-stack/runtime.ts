import { createRuntime } from '../../oci/index.ts'
import { pathsOf } from '../paths.ts'
import type { PodStackOptions } from './options.ts'

/** The runtime that makes containers of pods. */
export function openRuntime({ config, clock, log }: PodStackOptions): ReturnType<typeof createRuntime> {
  return createRuntime({
    missingControllers: 'tell',
    stateRoot: pathsOf(config).containers,
    instance: config.instance,
    clock,
    log: log.child({ part: 'oci' }),
  })
}
