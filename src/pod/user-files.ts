import type { PodImages } from './context.ts'

export interface UserTexts {
  passwd: string
  group: string
}

const imagesMax = 64
const keptTextMax = 16 * 1024

/** /etc/passwd and /etc/group of images; empty where an image has none. Read once, for an image never changes. */
export class UserFiles {
  readonly #images: PodImages
  readonly #known = new Map<string, UserTexts>()

  constructor(images: PodImages) {
    this.#images = images
  }

  async of(imageId: string): Promise<UserTexts> {
    const known = this.#known.get(imageId)
    if (known) return known
    const [passwd, group] = await Promise.all([
      this.#read(imageId, '/etc/passwd'),
      this.#read(imageId, '/etc/group'),
    ])
    const texts = { passwd, group }
    if (passwd.length + group.length <= keptTextMax) this.#keep(imageId, texts)
    return texts
  }

  #keep(imageId: string, texts: UserTexts): void {
    const [oldest] = this.#known.keys()
    if (this.#known.size >= imagesMax && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(imageId, texts)
  }

  async #read(imageId: string, path: string): Promise<string> {
    return Buffer.from((await this.#images.readFile(imageId, path)) ?? []).toString()
  }
}
