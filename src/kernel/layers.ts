import { native } from './native.ts'
import type { TreePath } from './tree.ts'

declare module './native.ts' {
  interface Native {
    layersReadFile(layers: readonly string[], path: string, maxBytes: number): Promise<Buffer | undefined>
    layersHave(layers: readonly string[], path: string): Promise<boolean>
    layersCopyAttributes(layers: readonly string[], root: string, path: TreePath): Promise<boolean>
  }
}

/**
 * A regular file of stacked layer directories (topmost first) as overlayfs would show it, without a mount: merged
 * directories, whiteouts, opaque directories, links that stay inside. Undefined when the path is absent or no
 * regular file; EFBIG above `maxBytes`.
 */
export function readLayeredFile(
  layers: readonly string[],
  path: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  return native.layersReadFile(layers, path, maxBytes)
}

/** Whether the stacked layers have anything at this path. */
export function layersHave(layers: readonly string[], path: string): Promise<boolean> {
  return native.layersHave(layers, path)
}

/**
 * Gives a directory of the tree at `root` the owner, mode, times and attributes that the same path has in the
 * layers; false when they do not have it as a directory.
 */
export function adoptAttributes(layers: readonly string[], root: string, path: TreePath): Promise<boolean> {
  return native.layersCopyAttributes(layers, root, path)
}
