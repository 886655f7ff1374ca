import { createHash } from 'node:crypto'
import { join } from 'node:path'
import * as cri from '../../cri/types.ts'
import type { Container, Pod } from '../api/index.ts'
import { linuxResources } from './container-resources.ts'
import { expand } from './expand.ts'
import { annotation, label } from './labels.ts'
import { identityOf } from './pod-identity.ts'
import { podLabels } from './sandbox-config.ts'
import { containerSecurity, type SecurityOptions } from './security.ts'

export interface ContainerConfigOptions extends SecurityOptions {
  /** The image as the runtime named it when it was resolved or pulled. */
  imageRef: string
  environment: ReadonlyMap<string, string>
  mounts: readonly cri.Mount[]
  memoryCapacityBytes: number
}

export const defaultTerminationMessagePath = '/dev/termination-log'

/** What CreateContainer is told for the `attempt`-th run (0 is the first) of this container. */
export function containerConfig(
  pod: Pod,
  container: Container,
  attempt: number,
  options: ContainerConfigOptions,
): cri.ContainerConfig {
  const { environment } = options
  const expanded = (words: readonly string[] = []) =>
    words.map((word) => expand(word, (name) => environment.get(name)))
  return cri.ContainerConfig.fromPartial({
    metadata: { name: container.name, attempt },
    image: { image: options.imageRef, userSpecifiedImage: container.image ?? '' },
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir ?? '',
    envs: [...environment].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: [...options.mounts],
    labels: { ...podLabels(identityOf(pod)), [label.containerName]: container.name },
    annotations: {
      [annotation.containerHash]: containerHash(container),
      [annotation.restartCount]: String(attempt),
      [annotation.terminationMessagePath]: container.terminationMessagePath ?? defaultTerminationMessagePath,
      [annotation.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
      [annotation.terminationGracePeriod]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
    logPath: containerLogPath(container.name, attempt),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: linuxResources(pod, container, options.memoryCapacityBytes),
      securityContext: containerSecurity(pod, container, options),
    },
    stopSignal: stopSignal(container),
  })
}

/** Path of a run's log below the pod's log folder. */
export function containerLogPath(name: string, attempt: number): string {
  return join(name, `${attempt}.log`)
}

/** Changes when a running container no longer is what the pod asks for: only its image can change in place. */
export function containerHash({ name, image }: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([name, image ?? '']))
    .digest('hex')
    .slice(0, 8)
}

/** The pod's own choice of the first signal, else the image's. */
function stopSignal({ lifecycle }: Container): cri.Signal {
  const found = Object.entries(cri.Signal).find(([name]) => name === `SIGNAL_${lifecycle?.stopSignal}`)
  return typeof found?.[1] === 'number' ? found[1] : cri.Signal.SIGNAL_RUNTIME_DEFAULT
}
