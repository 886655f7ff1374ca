import type { Collected, ImageStore, Mirrors } from '../../image/index.ts'
import type { Around } from '../around.ts'
import type { ProcessOptions } from '../control-plane.ts'
import type { CriConfig } from '../cri-settings/index.ts'

export interface PodStackOptions extends ProcessOptions<CriConfig> {
  /** Mirrors by registry host, or where they are written. */
  registries: string | Mirrors
  /** Put around every step that leaves something behind. */
  around?: Around | undefined
  /** Takes the image store's place for whoever pulls. */
  observed?: ((images: ImageStore) => ImageStore) | undefined
  /** Told what was removed when the disk was too full. */
  collected?: ((freed: Collected) => void) | undefined
}
