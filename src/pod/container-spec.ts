import { readFile, realpath } from 'node:fs/promises'
import type { ContainerConfig } from '../../cri/types.ts'
import { KeelsonError, parseExactJson } from '../base/index.ts'
import { defaultSeccompProfile, type Seccomp, type Spec } from '../oci/index.ts'
import { applyEdits, requestedDevices, resolveDevices } from './cdi/index.ts'
import { cgroupsPathOf } from './cgroup-place.ts'
import { type PodContext, sandboxDirectory } from './context.ts'
import { devicesOf } from './devices.ts'
import { podFilePaths } from './files.ts'
import { checkPropagation } from './propagation.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import { podHostname } from './spec/namespaces.ts'
import { seccompChoice } from './spec/seccomp.ts'
import { buildSpec } from './spec/spec.ts'

/** What CreateContainer found is what StartContainer starts, unless the record was changed in between. */
const found = new WeakMap<ContainerRecord, Spec>()

/** Reads from the host what the specification depends on, then builds it. Once for each record. */
export async function containerSpec(
  context: PodContext,
  sandbox: SandboxRecord,
  record: ContainerRecord,
): Promise<Spec> {
  const known = found.get(record)
  if (known) return known
  const spec = await makeSpec(context, sandbox, record)
  found.set(record, spec)
  return spec
}

async function makeSpec(context: PodContext, sandbox: SandboxRecord, record: ContainerRecord): Promise<Spec> {
  const config = await withRealPaths(record.config)
  await checkPropagation(config.mounts)
  const [seccomp, devices, edits] = await Promise.all([
    seccompOf(config),
    devicesOf(config),
    resolveDevices(requestedDevices(config), context.cdiDirectories),
  ])
  const spec = buildSpec({
    config,
    sandbox: sandbox.config,
    image: record.imageConfig,
    user: record.user,
    hostname: podHostname(sandbox.config),
    cgroupsPath: cgroupsPathOf(sandbox.cgroupPath, record.id),
    files: podFilePaths(sandboxDirectory(context, sandbox.id)),
    seccomp,
    devices,
    host: context.host,
  })
  return applyEdits(withPidsLimit(spec, context.containers.pidsMax), edits)
}

function withPidsLimit(spec: Spec, pidsMax: number): Spec {
  if (pidsMax === 0) return spec
  const resources = { pids: { limit: pidsMax }, ...spec.linux?.resources }
  return { ...spec, linux: { ...spec.linux, resources } }
}

/** A mount of a symbolic link is a mount of what it points at; a missing source is an error of the caller. */
async function withRealPaths(config: ContainerConfig): Promise<ContainerConfig> {
  const mounts = config.mounts.map(async (mount) =>
    mount.hostPath === '' || isDescriptorPath(mount.hostPath)
      ? mount
      : { ...mount, hostPath: await realPath(mount.hostPath) },
  )
  return { ...config, mounts: await Promise.all(mounts) }
}

/**
 * A mount source that its caller holds open and names by its descriptor (a kubelet does for subPath volumes), so that
 * nobody can put a link in its place meanwhile (CVE-2021-25741). It must not become a name again.
 */
export function isDescriptorPath(path: string): boolean {
  return /^\/proc\/(?:self|\d+)\/fd\/\d+$/.test(path)
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (cause) {
    throw new KeelsonError('INVALID_ARGUMENT', `the mount source ${path} does not exist`, { path, cause })
  }
}

async function seccompOf(
  config: ContainerConfig,
): Promise<(capabilities: readonly string[]) => Seccomp | undefined> {
  const choice = seccompChoice(config.linux?.securityContext)
  if (choice.kind === 'none') return () => undefined
  if (choice.kind === 'default') return (capabilities) => defaultSeccompProfile({ capabilities })
  const profile = await readProfile(choice.path)
  return () => profile
}

async function readProfile(path: string): Promise<Seccomp> {
  try {
    return parseExactJson(await readFile(path, 'utf8')) as Seccomp
  } catch (cause) {
    throw new KeelsonError('INVALID_ARGUMENT', `the seccomp profile ${path} cannot be read`, { path, cause })
  }
}
