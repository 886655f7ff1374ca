import type { Container, PodSpec, Probe, Volume } from '../../../api/index.ts'

/** Kubernetes' defaults of a pod's spec; for pods and for templates alike. */
export function setPodSpecDefaults(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always'
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ??= 'default-scheduler'
  spec.securityContext ??= {}
  if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName
  else if (spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    setContainerDefaults(container, spec.hostNetwork === true)
  }
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume)
}

/** What a pod gets beyond its template: the tolerations that let it outlive a short loss of its node. */
export function setPodAdmissionDefaults(spec: PodSpec): void {
  spec.enableServiceLinks ??= true
  spec.preemptionPolicy ??= 'PreemptLowerPriority'
  spec.priority ??= 0
  spec.serviceAccountName ??= 'default'
  spec.serviceAccount = spec.serviceAccountName
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'])
    addToleration(spec, key)
}

const tolerationSeconds = 300

function addToleration(spec: PodSpec, key: string): void {
  const tolerations = spec.tolerations ?? []
  const has = tolerations.some(
    (one) => (one.key === key || !one.key) && (!one.effect || one.effect === 'NoExecute'),
  )
  if (has) return
  spec.tolerations = [...tolerations, { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }]
}

function setContainerDefaults(container: Container, hostNetwork: boolean): void {
  container.imagePullPolicy ??= defaultPullPolicy(container.image)
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  container.resources ??= {}
  const { limits, requests } = container.resources
  if (limits) container.resources.requests = { ...limits, ...requests }
  for (const port of container.ports ?? []) {
    port.protocol ??= 'TCP'
    if (hostNetwork) port.hostPort ??= port.containerPort
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ??= 'v1'
  }
  setProbeDefaults(container.livenessProbe)
  setProbeDefaults(container.readinessProbe)
  setProbeDefaults(container.startupProbe)
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (hook?.httpGet) setHttpDefaults(hook.httpGet)
  }
}

/** `Always` for `latest` and for no tag at all, `IfNotPresent` for any other tag or a digest. */
function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  if (!image || image.includes('@')) return 'IfNotPresent'
  const tag = /:([^/:]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function setProbeDefaults(probe: Probe | undefined): void {
  if (!probe) return
  probe.timeoutSeconds ??= 1
  probe.periodSeconds ??= 10
  probe.successThreshold ??= 1
  probe.failureThreshold ??= 3
  if (probe.httpGet) setHttpDefaults(probe.httpGet)
  if (probe.grpc) probe.grpc.service ??= ''
}

function setHttpDefaults(action: NonNullable<Probe['httpGet']>): void {
  action.path ??= '/'
  action.scheme ??= 'HTTP'
}

const fileMode = 0o644

function setVolumeDefaults(volume: Volume): void {
  const { secret, configMap, downwardAPI, projected, hostPath } = volume
  if (secret) secret.defaultMode ??= fileMode
  if (configMap) configMap.defaultMode ??= fileMode
  if (downwardAPI) downwardAPI.defaultMode ??= fileMode
  if (projected) projected.defaultMode ??= fileMode
  if (hostPath) hostPath.type ??= ''
  if (Object.keys(volume).length === 1) volume.emptyDir = {}
}
