import { isAbsolute, join } from 'node:path'
import { type HookSubject, stateDocument } from '../hooks/state-document.ts'
import { hookFlags, OPEN } from '../plan/constants.ts'
import { noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { Hooks } from '../spec.ts'

export type Stage = keyof Hooks

/** What each stage is told, and where it runs (config.md, "POSIX-platform Hooks"). */
const stages: Readonly<
  Record<Stage, { status: string; directory: 'bundle' | 'root' | 'own'; flags: number }>
> = {
  prestart: { status: 'creating', directory: 'bundle', flags: hookFlags.watch },
  createRuntime: { status: 'creating', directory: 'bundle', flags: hookFlags.watch },
  createContainer: { status: 'creating', directory: 'root', flags: hookFlags.watch | hookFlags.inRoot },
  // Nobody is watched from the start on: whoever asked for it may be gone, and it goes on all the same.
  startContainer: { status: 'created', directory: 'own', flags: 0 },
  poststart: { status: 'running', directory: 'bundle', flags: 0 },
  poststop: { status: 'stopped', directory: 'bundle', flags: hookFlags.keepGoing },
}

/** crun's annotations: files that the output of every hook is appended to. */
const outputAnnotation = 'run.oci.hooks.stdout'
const errorsAnnotation = 'run.oci.hooks.stderr'

/** Where hooks write to: descriptors, so that those inside of the container need no path of the host. */
export interface HookOutputs {
  operations: Operation[]
  output: number
  /** `noFd`: the end of it is kept for the error. */
  errors: number
}

export function openOutputs({ spec, bundle }: HookSubject, slots: Slots): HookOutputs {
  const { [outputAnnotation]: outputFile, [errorsAnnotation]: errorsFile } = spec.annotations ?? {}
  const open = (file: string, flags: number): Operation & { op: 'openPath' } => ({
    op: 'openPath',
    path: isAbsolute(file) ? file : join(bundle, file),
    flags,
    to: slots.allocate(),
  })
  const append = OPEN.CREAT | OPEN.APPEND
  const output = outputFile ? open(outputFile, OPEN.WRONLY | append) : open('/dev/null', OPEN.WRONLY)
  // Read too: what a hook that fails wrote there belongs into its error.
  const errors = errorsFile ? open(errorsFile, OPEN.RDWR | append) : undefined
  return {
    operations: errors ? [output, errors] : [output],
    output: output.to,
    errors: errors?.to ?? noFd,
  }
}

/** The hooks of one stage, each with the operations that its process carries out before it. */
export function runHooks(
  stage: Stage,
  subject: HookSubject,
  { output, errors }: HookOutputs,
  prepare: readonly Operation[],
): Operation[] {
  const { status, directory, flags } = stages[stage]
  return (subject.spec.hooks?.[stage] ?? []).flatMap(({ path, args, env = [], timeout = 0 }, index) => [
    {
      op: 'runProgram',
      path,
      args: args?.length ? args : [path],
      env,
      ...stateDocument(subject, status),
      timeoutMs: BigInt(timeout) * 1000n,
      directory: directory === 'bundle' ? subject.bundle : '',
      output,
      errors,
      name: `hooks.${stage}[${index}]`,
      flags,
      prepare: prepare.length,
    },
    ...prepare,
  ])
}
