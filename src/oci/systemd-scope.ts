import { readFileSync } from 'node:fs'
import { type Cleanup, hasErrno, KeelsonError } from '../base/index.ts'
import { systemBusAddress, userBusAddress } from '../dbus/index.ts'
import { initAnswer, type StartedInit, sendInitFrame } from '../kernel/index.ts'
import { SystemdManager } from './cgroup/systemd/manager.ts'
import {
  annotatedProperties,
  deviceProperties,
  resourceProperties,
  type SystemdFacts,
  unitProperties,
} from './cgroup/systemd/properties.ts'
import { type SystemdUnit, systemdUnit, unitPath } from './cgroup/systemd/unit.ts'
import type { RuntimeContext } from './context.ts'
import { frameType } from './frames.ts'
import type { CreateRequest } from './runtime.ts'
import type { LinuxResources } from './spec.ts'

/**
 * The systemd driver: a container's cgroup is that of a transient unit, so that systemd knows of it and keeps away from
 * what is below. systemd makes the unit around a process, hence the order: keelson-init clones the child, which waits,
 * and asks us; we ask systemd; then the limits that systemd has no words for are written as without it.
 */
export interface UnitPlace {
  unit: SystemdUnit
  /** Absolute, from the root of each hierarchy. */
  path: string
}

/** Where the container of this request will be. A user's systemd is itself somewhere, which only it can tell. */
export async function placeUnit(context: RuntimeContext, { id, spec }: CreateRequest): Promise<UnitPlace> {
  const unit = systemdUnit(spec.linux?.cgroupsPath ?? '', id, context.rootless)
  if (!unit.user) return { unit, path: unitPath(unit) }
  if (context.layout.mode !== 'v2')
    throw new KeelsonError('UNIMPLEMENTED', 'the systemd driver of a user needs cgroup v2', {
      op: 'create',
      id,
    })
  await using manager = await openManager(context, unit.user)
  return { unit, path: unitPath(unit, String(await manager.property('ControlGroup'))) }
}

/** Answers what keelson-init asks on its way to its first answer. */
export async function answerAsked(
  context: RuntimeContext,
  request: CreateRequest,
  unit: SystemdUnit | undefined,
  started: StartedInit,
  undo: Cleanup,
): Promise<StartedInit> {
  if (started.type !== frameType.ask || !unit) return started
  await startScope(context, request, unit, started.payload.readUInt32LE(0))
  undo.defer(() => stopScope(context, unit)) // not before: a unit of that name may be another's
  sendInitFrame(started.control, frameType.answer)
  const next = await initAnswer(started.control, Promise.resolve(), request.signal)
  return {
    ...started,
    ...next,
    terminal: next.terminal >= 0 ? next.terminal : started.terminal,
    warnings: [...started.warnings, ...next.warnings],
  }
}

async function startScope(
  context: RuntimeContext,
  { id, spec, signal }: CreateRequest,
  unit: SystemdUnit,
  pid: number,
): Promise<void> {
  await using manager = await openManager(context, unit.user)
  const facts = await systemdFacts(context, manager)
  const { resources = {} } = spec.linux ?? {}
  const properties = [
    ...unitProperties(unit, id, pid, facts.isV2),
    ...annotatedProperties(spec.annotations),
    ...(unit.user ? [] : deviceProperties(resources, facts)),
    ...resourceProperties(resources, facts),
  ]
  await manager.startUnit(unit.unit, properties, signal)
}

export async function updateScope(
  context: RuntimeContext,
  unit: SystemdUnit,
  resources: LinuxResources,
): Promise<void> {
  await using manager = await openManager(context, unit.user)
  await manager.setProperties(unit.unit, resourceProperties(resources, await systemdFacts(context, manager)))
}

/** The unit with what is left in it. A systemd that is gone has no units either. */
export async function stopScope(context: RuntimeContext, unit: SystemdUnit): Promise<void> {
  try {
    await using manager = await openManager(context, unit.user)
    await manager.stopUnit(unit.unit)
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ECONNREFUSED')) throw error
    context.log.warn('systemd is not there to stop the unit', { unit: unit.unit })
  }
}

function openManager({ clock, env }: RuntimeContext, user: boolean): Promise<SystemdManager> {
  const address = user ? userBusAddress(env, process.getuid?.() ?? 0) : systemBusAddress(env)
  return SystemdManager.open(address, clock)
}

async function systemdFacts({ layout }: RuntimeContext, manager: SystemdManager): Promise<SystemdFacts> {
  const version = Number(/\d+/.exec(String(await manager.property('Version')))?.[0] ?? 0)
  return {
    version,
    isV2: layout.mode === 'v2',
    deviceGroup: deviceGroups(readFileSync('/proc/devices', 'utf8')),
  }
}

/** Text of /proc/devices: drivers by major number, first those of character devices, then those of block devices. */
export function deviceGroups(text: string): SystemdFacts['deviceGroup'] {
  const [characters = '', blocks = ''] = text.split(/^Block devices:$/m)
  return (type, major) => new RegExp(`^ *${major} (\\S+)$`, 'm').exec(type === 'b' ? blocks : characters)?.[1]
}
