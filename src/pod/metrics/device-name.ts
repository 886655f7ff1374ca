import { readlink } from 'node:fs/promises'
import { basename } from 'node:path'

/** `8:0` → `/dev/sda`, by sysfs; the number itself where no block device has it (overlay, tmpfs). */
export async function deviceName(number: string): Promise<string> {
  try {
    return `/dev/${basename(await readlink(`/sys/dev/block/${number}`))}`
  } catch {
    return number
  }
}
