import type { Entry } from '../entry.ts'

export const imageCommands: Readonly<Record<string, Entry>> = {
  pull: { summary: 'fetch an image from its registry', load: () => import('../image-commands/pull.ts') },
  push: { summary: 'upload an image to a registry', load: () => import('../image-commands/push.ts') },
  ls: { summary: 'the images that are here', load: () => import('../image-commands/ls.ts') },
  inspect: {
    summary: 'everything about images, as JSON',
    load: () => import('../image-commands/inspect.ts'),
  },
  history: { summary: 'how an image was made', load: () => import('../image-commands/history.ts') },
  tag: { summary: 'give an image one more name', load: () => import('../image-commands/tag.ts') },
  rm: {
    summary: 'take names away, and images with their last one',
    load: () => import('../image-commands/rm.ts'),
  },
  save: { summary: 'write images as an archive', load: () => import('../image-commands/save.ts') },
  load: {
    summary: 'read the images of an OCI layout or a docker-archive',
    load: () => import('../image-commands/load.ts'),
  },
  fsck: {
    summary: 'compare everything that is stored with what it should be',
    load: () => import('../image-commands/fsck.ts'),
  },
  prune: { summary: 'remove images that nothing uses', load: () => import('../image-commands/prune.ts') },
}
