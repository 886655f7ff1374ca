import type { HookSubject } from '../hooks/state-document.ts'
import { fileLimitResource } from '../plan/constants.ts'
import { barriers, noFd, type Operation, type Plan } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import { type HookOutputs, openOutputs, runHooks, type Stage } from './hook-operations.ts'

/** RLIMIT_NOFILE of the caller, set back in every hook that would inherit what Node raised. */
export interface FileLimit {
  soft: bigint
  hard: bigint
}

/** Of a plan that makes a container, what runs hooks, and where in it. */
export interface HookPlan {
  /** Opens what the hooks write to; before the clone, so that both sides have it. */
  open: Operation[]
  /** The parent's, after the clone: the runtime's namespaces. */
  parent: Operation[]
  /** The child's, when everything is mounted and before its root is switched. */
  beforePivot: Operation[]
  /** The child's, after the start; `prepare` turns the hook's process into the container's user where it is not yet. */
  beforeProgram(prepare: readonly Operation[]): Operation[]
  /** Slots that `beforeProgram` needs. */
  later: readonly number[]
}

export function compileHooks(
  subject: HookSubject,
  slots: Slots,
  fileLimit: FileLimit,
  joinsBeforeClone: boolean,
): HookPlan {
  const hooks = subject.spec.hooks ?? {}
  const runtime = [...(hooks.prestart ?? []), ...(hooks.createRuntime ?? [])]
  const inside = [...(hooks.createContainer ?? []), ...(hooks.startContainer ?? [])]
  if (runtime.length + inside.length === 0)
    return { open: [], parent: [], beforePivot: [], beforeProgram: () => [], later: [] }
  const outputs = openOutputs(subject, slots)
  const run = (stage: Stage, prepare: readonly Operation[] = [limitOf(fileLimit)]) =>
    runHooks(stage, subject, outputs, prepare)
  const begins = runtime.length > 0
  return {
    open: outputs.operations,
    parent: begins
      ? [
          { op: 'await', barrier: barriers.mounted },
          ...(joinsBeforeClone ? [{ op: 'ownNamespaces' } as const] : []),
          ...run('prestart'),
          ...run('createRuntime'),
          { op: 'signal', barrier: barriers.hooksDone },
        ]
      : [],
    beforePivot: [
      ...(begins
        ? [
            { op: 'signal', barrier: barriers.mounted } as const,
            { op: 'await', barrier: barriers.hooksDone } as const,
          ]
        : []),
      ...run('createContainer'),
    ],
    beforeProgram: (prepare) => run('startContainer', prepare),
    later: hooks.startContainer?.length ? usedSlots(outputs) : [],
  }
}

/**
 * The plan of the hooks that run when the container's own plan is long done, after its start and after its end. It is
 * recorded beside the state when the container is made, for whoever starts and deletes it. `poststart` inherits the
 * open state directory; at `poststop` that is gone.
 */
export function compileRecordedHooks(
  stage: 'poststart' | 'poststop',
  subject: HookSubject,
  fileLimit: FileLimit,
): Plan | undefined {
  if (!subject.spec.hooks?.[stage]?.length) return undefined
  const slots = new Slots()
  if (stage === 'poststart') slots.inherit(0) // slot 0: the state directory, whatever its descriptor will be
  const outputs = openOutputs(subject, slots)
  const parent: Operation[] = [
    ...(stage === 'poststart' ? [{ op: 'readProcess', directory: 0, name: 'pid' } as const] : []),
    ...outputs.operations,
    ...runHooks(stage, subject, outputs, [limitOf(fileLimit)]),
    { op: 'reportDone' },
  ]
  return { parent, child: [] }
}

function limitOf(fileLimit: FileLimit): Operation {
  return { op: 'setRlimit', resource: fileLimitResource, ...fileLimit }
}

function usedSlots({ output, errors }: HookOutputs): number[] {
  return [output, errors].filter((slot) => slot !== noFd)
}
