import { KeelsonError } from '../../base/index.ts'
import type { ManagedImageStore } from '../image-store.ts'
import { isIdOf } from '../names.ts'
import type { Answers, Asking, Questions, Removed, Verb } from './requests.ts'

type Answer<V extends Verb> = (
  store: ManagedImageStore,
  question: Questions[V],
  asking: Asking,
) => Promise<Answers[V]> | Answers[V]

const answers: { [V in Verb]: Answer<V> } = {
  list: (store) => store.list().map(({ id }) => store.describe(id)),
  describe: (store, { name }) => store.describe(name),
  history: (store, { name }) => store.history(name),
  filesystem: (store) => store.filesystem(),
  pull: (store, { reference, ...options }, asking) => store.pull(reference, { ...options, ...asking }),
  push: (store, { name, ...options }, asking) => store.push(name, { ...options, ...asking }),
  fsck: (store, options, { signal }) => store.fsck({ ...options, ...(signal && { signal }) }),
  load: (store, { path, ...options }, { signal }) =>
    store.load(path, { ...options, ...(signal && { signal }) }),
  save: async (store, { names, ...options }, { signal }) => {
    await store.save(names, { ...options, ...(signal && { signal }) })
    return null
  },
  tag: (store, { name, tag }) => store.tag(name, tag),
  remove: removeImage,
  prune: (store, options) => store.prune(options),
}

/** Asks a store that this process has open. */
export async function answer<V extends Verb>(
  store: ManagedImageStore,
  verb: V,
  question: Questions[V],
  asking: Asking = {},
): Promise<Answers[V]> {
  return await answers[verb](store, question, asking)
}

export function isVerb(text: string): text is Verb {
  return Object.hasOwn(answers, text)
}

/** A tag is taken away, and the image with its last one; an id means the image with all its names. */
async function removeImage(store: ManagedImageStore, { name, force }: Questions['remove']): Promise<Removed> {
  const { image, usedBy } = store.describe(name)
  const byId = isIdOf(image, name)
  const last = byId || image.repoTags.length <= 1
  if (last && usedBy.length > 0 && !force)
    throw new KeelsonError('FAILED_PRECONDITION', `the image ${name} is used by ${usedBy.join(', ')}`, {
      id: image.id,
      hint: 'remove these containers first, or use --force: they keep their files',
    })
  if (byId && image.repoTags.length > 1 && !force)
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `the image ${name} has several names: ${image.repoTags.join(', ')}`,
      {
        id: image.id,
        hint: 'name the one to take away, or use --force for all',
      },
    )
  if (last) {
    await store.remove(image.id)
    return { untagged: image.repoTags, removed: image.id }
  }
  const left = await store.untag(name)
  return { untagged: image.repoTags.filter((tag) => !left.repoTags.includes(tag)) }
}
