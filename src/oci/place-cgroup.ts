import { KeelsonError } from '../base/index.ts'
import { type CgroupPlan, planCgroup } from './cgroup/index.ts'
import type { RuntimeContext } from './context.ts'
import type { CreateRequest } from './runtime.ts'
import type { LinuxResources } from './spec.ts'
import { placeUnit } from './systemd-scope.ts'
import { writableLayout } from './writable-cgroups.ts'

/** Where the specification names no cgroup: below the instance's, or, as runc does, below the caller's own. */
function cgroupPathOf({ instance }: RuntimeContext, { spec, id }: CreateRequest): string {
  return spec.linux?.cgroupsPath || (instance === '' ? id : `/${instance}/${id}`)
}

/** The plan of the container's cgroups; undefined where it has none. */
export async function cgroupOf(
  context: RuntimeContext,
  request: CreateRequest,
): Promise<CgroupPlan | undefined> {
  const { resources } = request.spec.linux ?? {}
  if (context.cgroupManager === 'disabled') return refuseLimits(resources)
  if (context.cgroupManager === 'systemd') {
    const { unit, path } = await placeUnit(context, request)
    const { layout, missingControllers: missing, rootless } = context
    const plan = planCgroup({ layout, path, resources, missing, deviceRules: !rootless })
    return { ...plan, systemd: unit }
  }
  const path = cgroupPathOf(context, request)
  if (!context.rootless)
    return planCgroup({ layout: context.layout, path, resources, missing: context.missingControllers })
  const layout = writableLayout(context.layout, path)
  return layout.v1.length > 0 || layout.v2
    ? planCgroup({ layout, path, resources, missing: 'tell' })
    : undefined
}

/** Device rules are let pass: every configuration has them, and without capabilities they guard little. */
function refuseLimits(resources: LinuxResources | undefined): undefined {
  const name = firstLimit(resources)
  if (name === undefined) return
  throw new KeelsonError('INVALID_ARGUMENT', `linux.resources.${name} needs a cgroup`, {
    path: `linux.resources.${name}`,
    hint: 'leave it out, or --cgroup-manager disabled',
  })
}

export function firstLimit({ devices: _, ...limits }: LinuxResources = {}): string | undefined {
  return Object.entries(limits).find(([, limit]) => Object.keys(limit ?? {}).length > 0)?.[0]
}
