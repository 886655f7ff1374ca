/** What tests of hostile images and volumes share: something of the host to watch, and containers made quickly. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { systemClock } from '../../src/base/index.ts'
import { type CreateRequest, createRuntime, type Runtime, type Spec } from '../../src/oci/index.ts'
import { createRequest } from './contained.ts'
import type { ContainerStage } from './container.ts'

/** A directory of the host with a marker in it, outside of the image. */
export function hostDirectory(stage: ContainerStage): {
  path: string
  unchanged: (t: ExecutionContext) => void
} {
  const path = join(stage.folder, 'host')
  mkdirSync(path)
  writeFileSync(join(path, 'marker'), 'host')
  chmodSync(join(path, 'marker'), 0o640)
  return {
    path,
    unchanged(t) {
      t.deepEqual(readdirSync(path), ['marker'])
      const { uid, gid, mode } = statSync(join(path, 'marker'))
      t.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 0, gid: 0, mode: 0o640 })
      t.is(readFileSync(join(path, 'marker'), 'utf8'), 'host')
    },
  }
}

/** Without cgroups of its own a container is made and taken back in a fraction of the time. */
export function quickRuntime(stage: ContainerStage): Runtime {
  const stateRoot = join(stage.folder, 'quick')
  return createRuntime({ stateRoot, instance: '', clock: systemClock, cgroupManager: 'disabled' })
}

export function quickRequest(stage: ContainerStage, spec: Spec): CreateRequest {
  return { ...createRequest(stage, 'trick', spec), life: { kind: 'detached', stdio: [0, 1, 2] } }
}

export function makeDevice(path: string, major: number, minor: number): void {
  execFileSync('mknod', ['-m', '666', path, 'c', String(major), String(minor)])
}
