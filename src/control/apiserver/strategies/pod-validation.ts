import type { Container, PodSpec, ResourceRequirements, Volume } from '../../../api/index.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkName, checkPortName, checkQualifiedName } from './names.ts'
import { compareQuantities, isQuantity } from './quantities.ts'

const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const protocols = ['TCP', 'UDP', 'SCTP']
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** `path` is where the spec lies: `spec` of a pod, `spec.template.spec` of a template. */
export function validatePodSpec(spec: PodSpec, path: string, errors: FieldErrors): void {
  if (spec.containers.length === 0) errors.required(`${path}.containers`)
  errors.oneOf(`${path}.restartPolicy`, spec.restartPolicy, restartPolicies)
  errors.oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, dnsPolicies)
  errors.integer(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds)
  errors.integer(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1)
  if (spec.nodeName) checkName(errors, `${path}.nodeName`, spec.nodeName, 'dns-1123-subdomain')
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, errors)
  const names = new Set<string>()
  const lists = [
    ['initContainers', spec.initContainers ?? []],
    ['containers', spec.containers],
  ] as const
  for (const [list, containers] of lists) {
    for (const [i, container] of containers.entries()) {
      const where = `${path}.${list}[${i}]`
      if (names.has(container.name)) errors.duplicate(`${where}.name`, container.name)
      names.add(container.name)
      validateContainer(container, where, volumes, errors)
    }
  }
  for (const [i, { effect, operator, key, value }] of (spec.tolerations ?? []).entries()) {
    const where = `${path}.tolerations[${i}]`
    errors.oneOf(`${where}.operator`, operator || undefined, ['Equal', 'Exists'])
    errors.oneOf(`${where}.effect`, effect || undefined, effects)
    if (!key && operator !== 'Exists')
      errors.invalid(`${where}.operator`, operator, 'operator must be Exists when `key` is empty')
    if (operator === 'Exists' && value)
      errors.invalid(`${where}.operator`, value, 'value must be empty when `operator` is Exists')
  }
}

function validateContainer(
  container: Container,
  path: string,
  volumes: ReadonlySet<string>,
  errors: FieldErrors,
): void {
  if (!container.name) errors.required(`${path}.name`)
  else checkName(errors, `${path}.name`, container.name, 'dns-1123-label')
  if (!container.image) errors.required(`${path}.image`)
  else if (container.image.trim() !== container.image) {
    errors.invalid(`${path}.image`, container.image, 'must not have leading or trailing whitespace')
  }
  errors.oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, pullPolicies)
  validatePorts(container, path, errors)
  validateEnvironment(container, path, errors)
  validateMounts(container, path, volumes, errors)
  validateResources(container.resources ?? {}, `${path}.resources`, errors)
  validateProbes(container, path, errors)
}

function validatePorts({ ports = [] }: Container, path: string, errors: FieldErrors): void {
  const names = new Set<string>()
  for (const [i, port] of ports.entries()) {
    const where = `${path}.ports[${i}]`
    if (port.name) {
      checkPortName(errors, `${where}.name`, port.name)
      if (names.has(port.name)) errors.duplicate(`${where}.name`, port.name)
      names.add(port.name)
    }
    if (!port.containerPort) errors.required(`${where}.containerPort`)
    else errors.integer(`${where}.containerPort`, port.containerPort, 1, 65_535)
    if (port.hostPort) errors.integer(`${where}.hostPort`, port.hostPort, 1, 65_535)
    errors.oneOf(`${where}.protocol`, port.protocol, protocols)
  }
}

function validateEnvironment({ env = [] }: Container, path: string, errors: FieldErrors): void {
  for (const [i, { name, value, valueFrom }] of env.entries()) {
    const where = `${path}.env[${i}]`
    if (!name) errors.required(`${where}.name`)
    else if (name.includes('=') || !/^[\x20-\x7e]+$/.test(name)) {
      errors.invalid(
        `${where}.name`,
        name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      )
    }
    if (valueFrom === undefined) continue
    const sources = Object.values(valueFrom).filter((source) => source !== undefined)
    if (sources.length !== 1)
      errors.invalid(`${where}.valueFrom`, '', 'must specify exactly one of the sources')
    if (value) errors.invalid(`${where}.valueFrom`, '', 'may not be specified when `value` is not empty')
  }
}

function validateMounts(
  { volumeMounts = [] }: Container,
  path: string,
  volumes: ReadonlySet<string>,
  errors: FieldErrors,
): void {
  const paths = new Set<string>()
  for (const [i, { name, mountPath }] of volumeMounts.entries()) {
    const where = `${path}.volumeMounts[${i}]`
    if (!name) errors.required(`${where}.name`)
    else if (!volumes.has(name)) errors.notFound(`${where}.name`, name)
    if (!mountPath) errors.required(`${where}.mountPath`)
    else if (paths.has(mountPath)) errors.invalid(`${where}.mountPath`, mountPath, 'must be unique')
    paths.add(mountPath)
  }
}

function validateResources(
  { limits = {}, requests = {} }: ResourceRequirements,
  path: string,
  errors: FieldErrors,
): void {
  for (const [list, amounts] of [
    ['limits', limits],
    ['requests', requests],
  ] as const) {
    for (const [name, amount] of Object.entries(amounts)) checkAmount(`${path}.${list}`, name, amount, errors)
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name]
    if (limit === undefined || !isQuantity(limit) || !isQuantity(request)) continue
    if (compareQuantities(request, limit) > 0) {
      errors.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)
    }
  }
}

function checkAmount(path: string, name: string, amount: string, errors: FieldErrors): void {
  const where = `${path}.${name}`
  checkQualifiedName(errors, where, name)
  if (!isQuantity(amount)) {
    errors.invalid(
      where,
      amount,
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    )
  } else if (compareQuantities(amount, '0') < 0) {
    errors.invalid(where, amount, 'must be greater than or equal to 0')
  }
}

function validateProbes(container: Container, path: string, errors: FieldErrors): void {
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name]
    if (!probe) continue
    const { exec, httpGet, tcpSocket, grpc } = probe
    const handlers = [exec, httpGet, tcpSocket, grpc].filter((one) => one !== undefined)
    if (handlers.length === 0) errors.required(`${path}.${name}`, 'must specify a handler type')
    if (handlers.length > 1) errors.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type')
    errors.integer(`${path}.${name}.timeoutSeconds`, probe.timeoutSeconds, 0)
    errors.integer(`${path}.${name}.periodSeconds`, probe.periodSeconds, 0)
    if (name !== 'readinessProbe' && probe.successThreshold !== 1) {
      errors.invalid(`${path}.${name}.successThreshold`, probe.successThreshold, 'must be 1')
    }
  }
}

/** The names of the volumes, for mounts to be looked up. */
function validateVolumes(volumes: readonly Volume[], path: string, errors: FieldErrors): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [i, volume] of volumes.entries()) {
    const where = `${path}[${i}]`
    if (!volume.name) errors.required(`${where}.name`)
    else {
      checkName(errors, `${where}.name`, volume.name, 'dns-1123-label')
      if (names.has(volume.name)) errors.duplicate(`${where}.name`, volume.name)
    }
    names.add(volume.name)
    const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value !== undefined)
    if (sources.length === 0) errors.required(where, 'must specify a volume type')
    for (const [source] of sources.slice(1))
      errors.forbidden(`${where}.${source}`, 'may not specify more than 1 volume type')
    if (volume.hostPath && !volume.hostPath.path) errors.required(`${where}.hostPath.path`)
    if (volume.secret && !volume.secret.secretName) errors.required(`${where}.secret.secretName`)
    if (volume.configMap && !volume.configMap.name) errors.required(`${where}.configMap.name`)
  }
  return names
}
