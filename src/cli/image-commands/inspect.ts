import { command } from '../context.ts'
import { openDoor, placeOptions } from '../image/door.ts'

export default command({
  name: 'inspect',
  summary: 'everything about images, as JSON',
  args: ['image', 'more...'],
  options: placeOptions,
  run: async (context, { image, more, ...flags }) => {
    await using door = await openDoor(context, flags)
    const found = []
    for (const name of [image, ...more]) found.push(await door.ask('describe', { name }, context))
    context.print(JSON.stringify(found, undefined, 2))
  },
})
