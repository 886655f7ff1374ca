import { command } from '../context.ts'
import { openDoor, placeOptions } from '../image/door.ts'

export default command({
  name: 'tag',
  summary: 'give an image one more name',
  args: ['image', 'name'],
  options: placeOptions,
  run: async (context, { image, name, ...flags }) => {
    await using door = await openDoor(context, flags)
    await door.ask('tag', { name: image, tag: name }, context)
  },
})
