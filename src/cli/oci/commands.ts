import type { Command } from '../command.ts'
import type { Context } from './context.ts'

type Load = () => Promise<{ default: Command<Context> }>

/** Every command, loaded when it is typed: `state` does not pay for `exec`. In the order of a container's life. */
export const commands: Readonly<Record<string, Load>> = {
  create: () => import('../oci-commands/create.ts'),
  start: () => import('../oci-commands/start.ts'),
  run: () => import('../oci-commands/run.ts'),
  state: () => import('../oci-commands/state.ts'),
  kill: () => import('../oci-commands/kill.ts'),
  delete: () => import('../oci-commands/delete.ts'),
  exec: () => import('../oci-commands/exec.ts'),
  ps: () => import('../oci-commands/ps.ts'),
  list: () => import('../oci-commands/list.ts'),
  mounts: () => import('../oci-commands/mounts.ts'),
  checkpoint: () => import('../oci-commands/checkpoint.ts'),
  restore: () => import('../oci-commands/restore.ts'),
  pause: () => import('../oci-commands/pause.ts'),
  resume: () => import('../oci-commands/resume.ts'),
  update: () => import('../oci-commands/update.ts'),
  events: () => import('../oci-commands/events.ts'),
  spec: () => import('../oci-commands/spec.ts'),
  features: () => import('../oci-commands/features.ts'),
  'compile-service': () => import('../oci-commands/compile-service.ts'),
}
