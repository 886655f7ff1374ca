import { Backoff } from './backoff.ts'
import type { Waiting } from './pod-plan.ts'
import type { VolumePlace } from './volumes/volume-manager.ts'

/** What the kubelet knows of a pod and nobody else does; after a restart of ours it starts empty. */
export class PodMemory {
  /** Why the last try to start a container failed before there was a run, by container name. */
  readonly failures = new Map<string, Waiting & { atMs: number }>()
  /** Runs that StartContainer failed on, with its message. */
  readonly startFailed = new Map<string, string>()
  /** Runs whose postStart hook is running. */
  readonly inPostStart = new Set<string>()
  /** Runs whose postStart hook failed: they must go. */
  readonly hookFailed = new Set<string>()
  /** Last words of runs that ended. */
  readonly messages = new Map<string, string>()
  /** Waits after failed starts, by container name, and after failed volumes. */
  readonly retries = new Backoff()
  /** Where its volumes are, once they all were prepared. */
  places: Map<string, VolumePlace> | undefined
  volumesFailedMs: number | undefined
  sandboxFailedMs: number | undefined
  /** All its containers ended for good: nothing of it runs again. */
  ended = false
  /** The API server was asked to remove it. */
  removed = false
  /** Set when the pod is refused by this node. */
  rejected: { reason: string; message: string } | undefined

  /** An object that the pod refers to changed: what failed for want of it may be tried at once. */
  forgive(): void {
    this.failures.clear()
    this.retries.forget('')
    this.volumesFailedMs = undefined
  }
}
