import { posix } from 'node:path'
import { KeelsonError } from '../../../base/index.ts'
import { shown } from '../../shown.ts'

/** A transient unit of systemd that holds one container. */
export interface SystemdUnit {
  /** `<prefix>-<name>.scope`, or `<name>` where that is a slice itself. */
  unit: string
  slice: string
  /** The user's own systemd instead of the system's. */
  user: boolean
}

/**
 * `slice:prefix:name` (linux.cgroupsPath with the systemd driver) as a unit. An empty slice is system.slice, or
 * user.slice for a user; without a path the unit is named by the container. INVALID_ARGUMENT for any other form.
 */
export function systemdUnit(cgroupsPath: string, id: string, user: boolean): SystemdUnit {
  const parts = (cgroupsPath || `:keelson:${id}`).split(':')
  const [slice = '', prefix = '', name = ''] = parts
  if (parts.length !== 3) throw wrong(cgroupsPath, 'has not the form slice:prefix:name of the systemd driver')
  const unit = name.endsWith('.slice') ? name : `${prefix}-${name}.scope`
  if (!/^[\w:.\\@-]{1,255}$/.test(unit) || name === '')
    throw wrong(cgroupsPath, `makes no unit name: ${unit}`)
  const full = slice === '' ? (user ? 'user.slice' : 'system.slice') : slice === '-' ? '-.slice' : slice
  expandSlice(full)
  return { unit, slice: full, user }
}

/** Where the unit's cgroup is: `test-a.slice` lies in `test.slice`, as its name says. */
export function unitPath({ unit, slice }: SystemdUnit, managerPath = '/'): string {
  const own = unit.endsWith('.slice') ? expandSlice(unit) : posix.join(expandSlice(slice), unit)
  return posix.join(managerPath, own)
}

/** `a-b.slice` → `/a.slice/a-b.slice`; `-.slice` is the root. */
export function expandSlice(slice: string): string {
  const name = slice.replace(/\.slice$/, '')
  if (name === slice || slice.includes('/')) throw wrong(slice, 'is no slice: it has to end with .slice')
  if (name === '-') return '/'
  const parts = name.split('-')
  if (parts.includes('') || !/^[\w:.\\@-]{1,248}$/.test(name)) throw wrong(slice, 'is no slice name')
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('')
}

function wrong(text: string, why: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `linux.cgroupsPath: ${shown(text)} ${why}`, {
    path: 'linux.cgroupsPath',
    hint: 'write for example system.slice:keelson:web, or leave --systemd-cgroup out',
  })
}
