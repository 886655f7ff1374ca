import { setting } from '../settings.ts'
import { wholeNumber } from './values.ts'

const percentWanted = 'a whole percentage is expected'

/** When images go because the disk is too full. */
export const imageGarbageSettings = {
  highPercent: setting(
    wholeNumber(1, 100, percentWanted),
    100,
    'How full, in percent, the disk of the images may be before images that no container uses are removed, the longest unused first; pinned ones stay. 100: none are, for a kubelet does that itself, and containerd and CRI-O leave it to the kubelet too. `keelson up` and `keelson node` have 85.',
  ),
  lowPercent: setting(
    wholeNumber(0, 99, percentWanted),
    80,
    'How full, in percent, the disk is when no more are removed. Less than highPercent.',
  ),
  minAgeMs: setting(
    wholeNumber(0, 31_536_000_000, 'milliseconds up to a year are expected'),
    120_000,
    'How long, in milliseconds, an image stays after it was pulled or last used, however full the disk is.',
  ),
  intervalMs: setting(
    wholeNumber(1000, 86_400_000, 'milliseconds from 1000 to 86400000 are expected'),
    300_000,
    'How often, in milliseconds, the disk is looked at.',
  ),
} as const
