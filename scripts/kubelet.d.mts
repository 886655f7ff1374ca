export const kubeletVersion: string
/** Path of the program; undefined where it was not built. */
export function findKubelet(): string | undefined
