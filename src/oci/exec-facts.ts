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

const maxKnown = 32

/**
 * Those of the containers that execs were in last, each read once: as long as it is the same container, which its
 * record tells. Whoever probes a container every second finds it anew each time, so they are the runtime's to know.
 */
export class KnownFacts {
  readonly #known = new Map<string, { of: string; facts: ExecFacts }>()

  of({ id, createdAtNs, process }: ContainerRecord, read: () => ExecFacts): ExecFacts {
    const of = `${createdAtNs} ${process?.pid} ${process?.startTicks}`
    const known = this.#known.get(id)
    const facts = known?.of === of ? known.facts : read()
    this.#known.delete(id) // it is the latest now
    this.#known.set(id, { of, facts })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxKnown) break
      this.#known.delete(oldest)
    }
    return facts
  }
}
