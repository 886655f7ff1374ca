import type { CgroupLayout } from './layout.ts'
import type { CgroupPlan } from './plan.ts'

/** The leaf of each hierarchy below its mount; what criu calls no controller is the v2 tree. */
export function cgroupRoots(
  { v1, v2 }: CgroupLayout,
  { leaves }: Pick<CgroupPlan, 'leaves'>,
): { controller: string; path: string }[] {
  const below = (mountPoint: string) =>
    leaves.find((leaf) => leaf.startsWith(`${mountPoint}/`))?.slice(mountPoint.length)
  const all = [...v1, ...(v2 ? [{ ...v2, controllers: [''] }] : [])]
  return all.flatMap(({ controllers, mountPoint }) => {
    const path = below(mountPoint)
    return path === undefined ? [] : [{ controller: controllers.join(','), path }]
  })
}
