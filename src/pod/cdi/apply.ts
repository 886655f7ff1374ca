import { KeelsonError } from '../../base/index.ts'
import { type Device, type Hook, type Hooks, hookNames, type Spec } from '../../oci/index.ts'
import { type AllowedDevice, devicesAt } from '../devices.ts'
import type { CdiDeviceNode, CdiEdits, CdiHook } from './spec-file.ts'

/** A container's specification with what its CDI devices change. Later edits come after, and over, earlier ones. */
export async function applyEdits(spec: Spec, all: readonly CdiEdits[]): Promise<Spec> {
  let changed = spec
  for (const edits of all) changed = withRest(withNodes(changed, await nodesOf(edits)), edits)
  return changed
}

async function nodesOf({ deviceNodes = [] }: CdiEdits): Promise<AllowedDevice[]> {
  return Promise.all(deviceNodes.map(nodeOf))
}

/** What the file does not say of a node, the host's own node says. */
async function nodeOf(node: CdiDeviceNode): Promise<AllowedDevice> {
  const { path, hostPath = path, type, major, minor, permissions = 'rwm' } = node
  const [host] =
    type === 'p' || (type !== undefined && major !== undefined && minor !== undefined)
      ? []
      : await devicesAt(hostPath, path, permissions)
  const known = host?.device ?? (type === undefined ? undefined : { path, type })
  if (!known || (known.type !== 'p' && (major ?? known.major) === undefined))
    throw new KeelsonError('INVALID_ARGUMENT', `there is no device at ${hostPath}, which a CDI file names`, {
      path: hostPath,
    })
  const device: Device = { ...known, ...present(node, ['type', 'major', 'minor', 'fileMode', 'uid', 'gid']) }
  return { device, access: permissions }
}

function withNodes(spec: Spec, nodes: readonly AllowedDevice[]): Spec {
  if (nodes.length === 0) return spec
  const places = new Set(nodes.map(({ device }) => device.path))
  const kept = (spec.linux?.devices ?? []).filter(({ path }) => !places.has(path))
  const rules = nodes
    .filter(({ device }) => device.type === 'c' || device.type === 'b')
    .map(({ device, access }) => ({ allow: true, access, ...present(device, ['type', 'major', 'minor']) }))
  const resources = { ...spec.linux?.resources }
  resources.devices = [...(resources.devices ?? []), ...rules]
  return {
    ...spec,
    linux: { ...spec.linux, resources, devices: [...kept, ...nodes.map(({ device }) => device)] },
  }
}

function withRest(spec: Spec, { env, mounts, hooks, additionalGids, intelRdt, netDevices }: CdiEdits): Spec {
  const first = spec.process
  return {
    ...spec,
    ...(first && {
      process: {
        ...first,
        ...(env && { env: over(first.env ?? [], env) }),
        ...(additionalGids && first.user && { user: withGids(first.user, additionalGids) }),
      },
    }),
    ...(mounts && {
      mounts: [
        ...(spec.mounts ?? []).filter(
          ({ destination }) => !mounts.some((one) => one.containerPath === destination),
        ),
        ...mounts.map(
          ({ hostPath, containerPath, type = 'bind', options = ['rbind', 'nosuid', 'nodev'] }) => ({
            ...{ destination: containerPath, source: hostPath, type },
            options:
              type === 'bind' && !options.some((one) => /^r?bind$/.test(one))
                ? ['rbind', ...options]
                : options,
          }),
        ),
      ],
    }),
    ...(hooks && { hooks: withHooks(spec.hooks ?? {}, hooks) }),
    linux: {
      ...spec.linux,
      ...(intelRdt && {
        intelRdt: present(intelRdt, [
          'closID',
          'schemata',
          'l3CacheSchema',
          'memBwSchema',
          'enableMonitoring',
        ]),
      }),
      ...(netDevices && {
        netDevices: {
          ...spec.linux?.netDevices,
          ...Object.fromEntries(
            netDevices.map(({ hostInterfaceName, name }) => [hostInterfaceName, { name }]),
          ),
        },
      }),
    },
  }
}

function over(env: readonly string[], edits: readonly string[]): string[] {
  const nameOf = (variable: string) => variable.split('=', 1)[0] ?? ''
  return [...new Map([...env, ...edits].map((variable) => [nameOf(variable), variable])).values()]
}

type User = NonNullable<NonNullable<Spec['process']>['user']>

function withGids(user: User, gids: readonly number[]): User {
  return {
    ...user,
    additionalGids: [...new Set([...(user.additionalGids ?? []), ...gids.filter((gid) => gid !== 0)])],
  }
}

function withHooks(before: Hooks, hooks: readonly CdiHook[]): Hooks {
  const after: Hooks = { ...before }
  for (const hook of hooks) {
    const name = hookNames.find((one) => one === hook.hookName)
    if (!name)
      throw new KeelsonError('INVALID_ARGUMENT', `a CDI file names the hook ${JSON.stringify(hook.hookName)}`)
    const made: Hook = { path: hook.path, ...present(hook, ['args', 'env', 'timeout']) }
    after[name] = [...(after[name] ?? []), made]
  }
  return after
}

type Present<From, Name extends keyof From> = { [Key in Name]?: Exclude<From[Key], undefined> }

function present<From extends object, Name extends keyof From>(
  from: From,
  names: readonly Name[],
): Present<From, Name> {
  return Object.fromEntries(
    names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])),
  ) as Present<From, Name>
}
