import { KeelsonError } from '../../base/index.ts'

/** A caller's name is for one image. INVALID_ARGUMENT when there are more, or none. */
export function requireOneImage(reference: string | undefined, count: number): void {
  if (reference === undefined || count === 1) return
  throw new KeelsonError(
    'INVALID_ARGUMENT',
    `the archive has ${count} images, so the name ${reference} does not say which`,
    { hint: 'load it without a name: its images have names of their own' },
  )
}
