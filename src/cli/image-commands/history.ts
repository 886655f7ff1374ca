import { oneLine } from '../../image/one-line.ts' // not all of the image store
import { command } from '../context.ts'
import { columns } from '../help.ts'
import { jsonOption, openDoor, placeOptions } from '../image/door.ts'
import { ageWords, sizeWords } from '../image/words.ts'

const widthMax = 60

export default command({
  name: 'history',
  summary: 'how an image was made, newest step first',
  args: ['image'],
  options: {
    ...jsonOption,
    'no-trunc': { type: 'boolean', help: 'each step in full length' },
    ...placeOptions,
  },
  run: async (context, { image, ...flags }) => {
    await using door = await openDoor(context, flags)
    const steps = await door.ask('history', { name: image }, context)
    if (flags.json) {
      context.print(JSON.stringify(steps, undefined, 2))
      return
    }
    const nowMs = context.clock.nowMs()
    const short = (text: string) =>
      flags['no-trunc'] || text.length <= widthMax ? text : `${text.slice(0, widthMax - 1)}…`
    const rows = steps.map(({ created, createdBy, sizeBytes, comment = '' }) => [
      ageWords(Date.parse(created ?? ''), nowMs),
      sizeWords(sizeBytes),
      short(oneLine(createdBy, createdBy.length)),
      oneLine(comment, comment.length),
    ])
    for (const line of columns([['AGE', 'SIZE', 'CREATED BY', 'COMMENT'], ...rows])) context.print(line)
  },
})
