import { type Pod, resources } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { setPodAdmissionDefaults, setPodSpecDefaults } from './pod-defaults.ts'
import { validatePodSpec } from './pod-validation.ts'
import { qosClassOf } from './quality-of-service.ts'
import { strategy } from './strategy.ts'

export const pods = strategy(resources.pods, {
  countsGenerations: true,
  returnsDeleted: true,
  setDefaults: ({ spec }) => {
    setPodSpecDefaults(spec)
    setPodAdmissionDefaults(spec)
  },
  prepareForCreate(pod) {
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod.spec) }
  },
  prepareForStatusUpdate(pod, before) {
    const qosClass = before.status?.qosClass
    if (qosClass !== undefined) pod.status = { ...pod.status, qosClass }
  },
  validate: ({ spec }, errors) => validatePodSpec(spec, 'spec', errors),
  validateUpdate: validateSpecUnchanged,
  selectableFields: ({ spec, status }) => ({
    'spec.nodeName': spec?.nodeName ?? '',
    'spec.restartPolicy': spec?.restartPolicy ?? '',
    'spec.schedulerName': spec?.schedulerName ?? '',
    'spec.serviceAccountName': spec?.serviceAccountName ?? '',
    'spec.hostNetwork': String(spec?.hostNetwork ?? false),
    'status.phase': status?.phase ?? '',
    'status.podIP': status?.podIP ?? '',
    'status.nominatedNodeName': status?.nominatedNodeName ?? '',
  }),
  /** A pod that no kubelet has, or that has ended, goes at once; else its kubelet confirms the end with grace 0. */
  gracePeriodSeconds({ spec, status }, asked) {
    if (!spec.nodeName || status?.phase === 'Failed' || status?.phase === 'Succeeded') return 0
    return asked ?? spec.terminationGracePeriodSeconds ?? 30
  },
})

/** Of a pod's spec only images, deadline, further tolerations and gates that fall may change. */
function validateSpecUnchanged(pod: Pod, before: Pod, errors: FieldErrors): void {
  const strip = ({ spec }: Pod) => {
    const {
      activeDeadlineSeconds: _deadline,
      tolerations: _tolerations,
      schedulingGates: _gates,
      ...rest
    } = spec
    const withoutImages = (list: typeof rest.containers = []) => list.map(({ image: _image, ...one }) => one)
    return canonical({
      ...rest,
      containers: withoutImages(rest.containers),
      initContainers: withoutImages(rest.initContainers),
      terminationGracePeriodSeconds: 0,
    })
  }
  if (strip(pod) === strip(before)) return
  errors.forbidden(
    'spec',
    'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
      '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
      '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
  )
}

/** JSON with sorted keys: equal texts for equal values, whatever the order they were written in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
