import { loadAddon } from './addon.ts'

/**
 * Everything the addon exports, as one type: each file of this folder adds its own part by interface merging
 * (`declare module './native.ts'`), next to the functions that use it.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Native {}

export const native: Native = loadAddon<Native>()
