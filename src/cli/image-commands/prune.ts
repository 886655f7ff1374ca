import { command } from '../context.ts'
import { jsonOption, openDoor, placeOptions } from '../image/door.ts'
import { readSpan, sizeWords } from '../image/words.ts'

export default command({
  name: 'prune',
  summary: 'remove images that nothing uses: those without a tag',
  options: {
    all: { type: 'boolean', short: 'a', help: 'also those with a tag' },
    'min-age': {
      type: 'string',
      value: 'TIME',
      help: 'only what was added and last used before that, like 24h',
    },
    ...jsonOption,
    ...placeOptions,
  },
  run: async (context, { all = false, ...flags }) => {
    const minAgeMs = readSpan('min-age', flags['min-age'] ?? '0s')
    await using door = await openDoor(context, flags)
    const freed = await door.ask('prune', { all, minAgeMs }, context)
    if (flags.json) context.print(JSON.stringify(freed, undefined, 2))
    else {
      for (const { id, repoTags } of freed.images) context.print(`removed ${repoTags.join(' ') || id}`)
      context.print(`${sizeWords(freed.bytes)} freed`)
    }
  },
})
