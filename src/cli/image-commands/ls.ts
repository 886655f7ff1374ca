import type { ImageDescription } from '../../image/index.ts'
import { command } from '../context.ts'
import { columns } from '../help.ts'
import { jsonOption, openDoor, placeOptions } from '../image/door.ts'
import { ageWords, shortId, sizeWords } from '../image/words.ts'

export default command({
  name: 'ls',
  summary: 'the images that are here',
  options: {
    ...jsonOption,
    quiet: { type: 'boolean', short: 'q', help: 'ids only, whole' },
    digests: { type: 'boolean', help: 'also the digest of each manifest' },
    ...placeOptions,
  },
  run: async (context, flags) => {
    await using door = await openDoor(context, flags)
    const images = await door.ask('list', {}, context)
    if (flags.json) context.print(JSON.stringify(images, undefined, 2))
    else if (flags.quiet) for (const { image } of images) context.print(image.id)
    else for (const line of table(images, context.clock.nowMs(), flags.digests)) context.print(line)
  },
})

/** One line a tag, those without at the end. */
function table(images: readonly ImageDescription[], nowMs: number, digests: boolean | undefined): string[] {
  const digest = (text: string) => (digests ? [text] : [])
  const rows = images.flatMap(({ image, manifestDigest, unpackedBytes }) =>
    (image.repoTags.length === 0 ? ['<none>:<none>'] : image.repoTags).map((name) => {
      const colon = name.lastIndexOf(':')
      return [
        name.slice(0, colon),
        name.slice(colon + 1),
        ...digest(manifestDigest ?? '-'),
        shortId(image),
        ageWords(Date.parse(image.config.created ?? ''), nowMs),
        sizeWords(image.sizeBytes),
        sizeWords(unpackedBytes),
      ]
    }),
  )
  const sorted = rows.toSorted(([a = '', b = ''], [c = '', d = '']) => (`${a}:${b}` < `${c}:${d}` ? -1 : 1))
  const named = sorted.filter(([name]) => name !== '<none>')
  const head = ['REPOSITORY', 'TAG', ...digest('DIGEST'), 'ID', 'AGE', 'SIZE', 'ON DISK']
  return columns([head, ...named, ...sorted.filter(([name]) => name === '<none>')])
}
