import { loadAddon } from './addon.ts'

/**
 * Everything the addon exports, as one type: each file of this folder adds its own part by interface merging
 * (`declare module './native.ts'`), next to the functions that use it.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Native {}

let loaded: Partial<Native> | undefined

/** Loaded at its first use: a program that only imports this folder (a start-up snapshot does) needs no addon. */
export const native: Native = new Proxy<Native>({} as Native, {
  get(_, name) {
    loaded ??= loadAddon<Native>()
    return loaded[name as keyof Native]
  },
})

/** Until disposed, everybody calls this instead of the addon: a rehearsal, which touches no kernel. */
export function standIn(other: Partial<Native>): Disposable {
  const before = loaded
  loaded = other
  return {
    [Symbol.dispose]() {
      loaded = before
    },
  }
}
