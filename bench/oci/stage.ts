import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Container, Runtime } from '../../src/oci/index.ts'
import { realisticSpec } from '../frame/realistic-spec.ts'

/** What the in-process rows share: our runtime, a root file system, and where logs go. */
export interface Stage {
  runtime: Runtime
  /** The bundle: its `rootfs` is the root file system. */
  work: string
  /** Name and version of what is measured. */
  version: string
  /** Containers' groups lie below it, so that their CPU time is counted. */
  cgroup: string
}

let counter = 0

export function nextId(): string {
  return `bench-${process.pid}-${counter++}`
}

/** One container of the realistic kind, created and started; its log is the file `<work>/logs/<id>`. */
export async function startOne(stage: Stage, args: string[], { seccomp = true } = {}): Promise<Container> {
  const id = nextId()
  const logs = join(stage.work, 'logs')
  mkdirSync(logs, { recursive: true })
  const container = await stage.runtime.create({
    id,
    bundle: stage.work,
    spec: realisticSpec({ args, cgroupsPath: `${stage.cgroup}/${id}`, seccomp }),
    life: { kind: 'monitored', logPath: join(logs, id) },
  })
  await container.start()
  return container
}

export async function waitWell(container: Container): Promise<void> {
  const { exitCode } = await container.wait()
  if (exitCode !== 0) throw new Error(`${container.id} ended with ${exitCode}`)
}

export async function removeOne(stage: Stage, container: Container): Promise<void> {
  await container.delete({ force: true })
  rmSync(join(stage.work, 'logs', container.id), { force: true })
}
