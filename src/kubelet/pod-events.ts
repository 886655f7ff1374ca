import {
  type EventRecorder,
  type EventType,
  type ObjectReference,
  type Pod,
  referenceTo,
} from '../api/index.ts'

/** News of pods for people (`kubectl describe`). */
export class PodEvents {
  readonly #recorder: EventRecorder

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder
  }

  pod(pod: Pod, type: EventType, reason: string, message: string): void {
    this.#recorder.record(podReference(pod), type, reason, message)
  }

  /** News of one container; the event's fieldPath names it. */
  container(pod: Pod, name: string, type: EventType, reason: string, message: string): void {
    const init = pod.spec.initContainers?.some((one) => one.name === name) ?? false
    const path = `spec.${init ? 'initContainers' : 'containers'}{${name}}`
    this.#recorder.record(podReference(pod, path), type, reason, message)
  }
}

/** Without the resourceVersion: it moves with each status, and would make every repetition a new event. */
function podReference(pod: Pod, fieldPath?: string): ObjectReference {
  const { resourceVersion: _, ...reference } = referenceTo(
    { ...pod, apiVersion: 'v1', kind: 'Pod' },
    fieldPath,
  )
  return reference
}
