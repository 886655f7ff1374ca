import type { RuntimeContext } from './context.ts'
import { type LandlockPolicy, parseLandlock } from './landlock.ts'
import type { NamespaceType } from './runtime.ts'
import { type ContainerFilter, containerFilter } from './seccomp/index.ts'
import type { Linux, Spec } from './spec.ts'
import type { ContainerRecord } from './state/record.ts'

/** What all execs in a container have from its configuration, which never changes. */
export interface ExecFacts {
  /** Without the profile, which is compiled. */
  linux: Linux | undefined
  filter: ContainerFilter | undefined
  landlock: LandlockPolicy | undefined
  namespaces: readonly NamespaceType[]
}

export function execFacts(
  { host, filters }: RuntimeContext,
  { bundle }: ContainerRecord,
  spec: Spec,
): ExecFacts {
  const { seccomp: _, ...linux } = spec.linux ?? {}
  return {
    linux: spec.linux && linux,
    filter: containerFilter({ ...spec, bundle, host, filters }),
    landlock: parseLandlock(spec.annotations),
    namespaces: (spec.linux?.namespaces ?? []).map(({ type }) => type as NamespaceType),
  }
}

/** Those of one container, read once: as long as it is the same one, which its record tells. */
export class KnownFacts {
  #of = ''
  #facts: ExecFacts | undefined

  of({ createdAtNs, process }: ContainerRecord, read: () => ExecFacts): ExecFacts {
    const of = `${createdAtNs} ${process?.pid} ${process?.startTicks}`
    if (this.#of !== of) this.#facts = undefined
    this.#of = of
    this.#facts ??= read()
    return this.#facts
  }
}
