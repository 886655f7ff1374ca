import { createHash } from 'node:crypto'
import { KeelsonError } from '../base/index.ts'

/** What this instance's things in the host's network are called; the same for every process of the instance. */
export interface NetworkNames {
  /** nft table of the pod network. */
  table: string
  /** Every host end of a pod's veth begins with this: `kee5b1-`. */
  linkPrefix: string
  /** Link group of those ends, so that they can be deleted together. */
  linkGroup: number
  /** Name of a sandbox's host end: exactly 15 bytes, as long as the kernel allows. */
  link(sandboxId: string): string
}

/** INVALID_ARGUMENT unless the instance is 1 to 32 of a-z, 0-9 and "-", beginning with a letter. */
export function networkNames(instance: string): NetworkNames {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(instance))
    throw new KeelsonError('INVALID_ARGUMENT', `"${instance}" cannot be the name of an instance`, {
      hint: '1 to 32 of a-z, 0-9 and "-", beginning with a letter',
    })
  // Three letters for people, three digits to tell instances apart that begin alike.
  const linkPrefix = `${instance.slice(0, 3).padEnd(3, '0')}${digest(instance).slice(0, 3)}-`
  return {
    table: `${instance}-pods`,
    linkPrefix,
    linkGroup: Number.parseInt(digest(instance).slice(0, 8), 16) || 1,
    link: (sandboxId) => `${linkPrefix}${digest(sandboxId).slice(0, 8)}`,
  }
}

/** True for the pod table of any instance, as nft names it with its family. */
export function isPodTable(table: string): boolean {
  return /^inet [a-z][a-z0-9-]{0,31}-pods$/.test(table)
}

/** True for the host end of a pod's link of any instance. */
export function isPodLink(name: string): boolean {
  return /^[a-z][a-z0-9-]{2}[0-9a-f]{3}-[0-9a-f]{8}$/.test(name)
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
