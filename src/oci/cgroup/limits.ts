import { KeelsonError } from '../../base/index.ts'
import type { LinuxResources } from '../spec.ts'
import { type CgroupHierarchy, type CgroupLayout, v1Hierarchy } from './layout.ts'
import type { Current, Setting } from './setting.ts'
import { v1DeviceSettings, v1Settings } from './v1.ts'
import { v2Settings, withoutV2File } from './v2.ts'

/** A setting with the hierarchy it goes to. */
export interface Placed {
  setting: Setting
  hierarchy: CgroupHierarchy
}

export interface Limits {
  placed: Placed[]
  /** What was asked for and cannot be had on this host, a sentence each. */
  notices: string[]
}

export interface LimitsRequest {
  layout: CgroupLayout
  resources: LinuxResources
  /** Whether device rules of v1 are among them. */
  devices: boolean
  /** A limit whose controller the host lacks: an error, as with runc, or only a notice. */
  missing: 'refuse' | 'tell'
  current: Current
}

/** Which limit goes where. On hybrid a controller is on v1 or on v2; what v1 has is v1's. */
export function placeLimits({ layout, resources, devices, missing, current }: LimitsRequest): Limits {
  const limits: Limits = { placed: [], notices: [] }
  const v1 = layout.mode === 'v2' ? [] : v1Settings(resources, current)
  const rules = devices && v1Hierarchy(layout, 'devices') ? v1DeviceSettings(resources) : []
  for (const setting of [...rules, ...v1]) {
    const hierarchy = v1Hierarchy(layout, setting.controller)
    if (hierarchy) limits.placed.push({ setting, hierarchy })
    else if (!offeredByV2(layout, setting)) lacking(limits, setting, missing)
  }
  for (const setting of layout.v2 ? v2Settings(resources, current) : unifiedOnly(resources, current)) {
    if (layout.v2 && offeredByV2(layout, setting)) limits.placed.push({ setting, hierarchy: layout.v2 })
    // The others of hybrid are v1's business; only what was asked for in v2's own words is nobody's.
    else if (layout.mode === 'v2' || setting.field.startsWith('unified')) lacking(limits, setting, missing)
  }
  if (layout.mode === 'v2')
    limits.notices.push(
      ...withoutV2File(resources).map((name) => `${name} has no meaning on cgroup v2: it is ignored`),
    )
  return limits
}

function unifiedOnly({ unified }: LinuxResources, current: Current): Setting[] {
  return unified ? v2Settings({ unified }, current) : []
}

function offeredByV2(layout: CgroupLayout, { controller }: Setting): boolean {
  if (!layout.v2 || v1Hierarchy(layout, controller)) return false
  return controller === 'cgroup' || layout.v2.controllers.includes(controller)
}

function lacking(limits: Limits, { controller, field, failure }: Setting, missing: 'refuse' | 'tell'): void {
  if (failure) return
  const path = `linux.resources.${field}`
  if (missing === 'refuse')
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `${path}: cannot be set, as this host has no cgroup controller ${controller}`,
      { path, hint: 'leave the limit out, or enable the controller (kernel command line, delegation)' },
    )
  const notice = `cgroup controller ${controller} is not available here: its limits are not applied`
  if (!limits.notices.includes(notice)) limits.notices.push(notice)
}
