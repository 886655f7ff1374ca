import { setting } from '../settings.ts'
import { wholeNumber } from './values.ts'

/** What holds for every container, whatever its caller asks for. */
export const containersSettings = {
  pidsMax: setting(
    wholeNumber(0, 4_194_304, 'a number of processes, or 0, is expected'),
    0,
    'Most processes and threads of one container. 0: no limit but that of its pod, which a kubelet sets.',
  ),
  execDrainMs: setting(
    wholeNumber(0, 60_000, 'milliseconds from 0 to 60000 are expected'),
    250,
    'How long, in milliseconds, ExecSync still reads output after its command ended while children of the command hold the pipes.',
  ),
  execSyncBytesMax: setting(
    wholeNumber(1024, 268_435_456, 'bytes from 1024 to 268435456 are expected'),
    16_777_216,
    'Most bytes that ExecSync keeps of each of stdout and stderr; what is more is read and dropped.',
  ),
  writableLayerBytesMax: setting(
    wholeNumber(0, 2 ** 50, 'a number of bytes, or 0, is expected'),
    0,
    'Most bytes that what a container writes, outside of its volumes, may take on disk; then its writes fail with EDQUOT or ENOSPC. 0: no limit. Needs dataDirectory on ext4 or XFS with project quotas (docs/reference/cri.md); a pod may ask for less.',
  ),
} as const
