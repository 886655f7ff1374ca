import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret } from '../api/index.ts'
import { KeelsonError } from '../base/index.ts'
import { containerResourceText, podFieldText } from './downward.ts'
import { expand } from './expand.ts'

/** What the variables of a container are drawn from; objects are those of the pod's namespace. */
export interface EnvironmentSources {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
  /** Variables by which Services are found; the weakest, every other definition wins over them. */
  services: Record<string, string>
  /** Addresses known once the sandbox runs; the first is the primary one. */
  podIPs: readonly string[]
  hostIPs: readonly string[]
  /** What `resourceFieldRef` answers where the container sets no limit. */
  allocatable: { cpu: string; memory: string; 'ephemeral-storage': string }
}

/**
 * The environment of a container in the order of precedence: Services, envFrom, env. A value may refer to what
 * stands before it by `$(NAME)`. Throws FAILED_PRECONDITION, with the text users see beside
 * CreateContainerConfigError, when a referred object or key is missing and not optional.
 */
export function containerEnvironment(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Map<string, string> {
  const variables = new Map<string, string>()
  for (const source of container.envFrom ?? []) {
    const prefix = source.prefix ?? ''
    const data = source.configMapRef
      ? configMapData(sources.configMap(source.configMapRef.name ?? ''), source.configMapRef)
      : source.secretRef
        ? secretData(sources.secret(source.secretRef.name ?? ''), source.secretRef)
        : {}
    for (const [key, value] of Object.entries(data))
      if (!key.includes('=')) variables.set(prefix + key, value)
  }
  const lookup = (name: string) => variables.get(name) ?? sources.services[name]
  for (const one of container.env ?? []) {
    const value = variableValue(pod, container, one, sources, lookup)
    if (value !== undefined) variables.set(one.name, value)
  }
  for (const [name, value] of Object.entries(sources.services))
    if (!variables.has(name)) variables.set(name, value)
  return variables
}

function variableValue(
  pod: Pod,
  container: Container,
  { value, valueFrom }: EnvVar,
  sources: EnvironmentSources,
  lookup: (name: string) => string | undefined,
): string | undefined {
  if (valueFrom) return referredValue(pod, container, valueFrom, sources)
  return expand(value ?? '', lookup)
}

function referredValue(
  pod: Pod,
  container: Container,
  from: EnvVarSource,
  sources: EnvironmentSources,
): string | undefined {
  const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = from
  if (fieldRef) return podFieldText(pod, fieldRef.fieldPath, sources)
  if (resourceFieldRef) return containerResourceText(pod, container, resourceFieldRef, sources.allocatable)
  if (configMapKeyRef) {
    const data = configMapData(sources.configMap(configMapKeyRef.name ?? ''), configMapKeyRef)
    return keyOf(data, 'ConfigMap', configMapKeyRef)
  }
  if (secretKeyRef) {
    const data = secretData(sources.secret(secretKeyRef.name ?? ''), secretKeyRef)
    return keyOf(data, 'Secret', secretKeyRef)
  }
  throw new KeelsonError('UNIMPLEMENTED', `env source ${Object.keys(from).join(', ')} is not supported`)
}

interface Reference {
  name?: string | undefined
  optional?: boolean | undefined
}

function configMapData(
  found: ConfigMap | undefined,
  { name = '', optional }: Reference,
): Record<string, string> {
  if (!found && !optional) throw missing(`configmap "${name}" not found`)
  return found?.data ?? {}
}

function secretData(found: Secret | undefined, { name = '', optional }: Reference): Record<string, string> {
  if (!found && !optional) throw missing(`secret "${name}" not found`)
  return Object.fromEntries(
    Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
}

function keyOf(
  data: Record<string, string>,
  kind: string,
  { name = '', key, optional }: Reference & { key: string },
): string | undefined {
  const value = Object.hasOwn(data, key) ? data[key] : undefined
  if (value === undefined && !optional) throw missing(`couldn't find key ${key} in ${kind} "${name}"`)
  return value
}

function missing(message: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', message, { op: 'container environment' })
}
