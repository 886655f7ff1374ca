import { command } from '../context.ts'
import { openDoor, placeOptions } from '../image/door.ts'

export default command({
  name: 'rm',
  summary: 'take names away, and images with their last one',
  args: ['image', 'more...'],
  options: {
    force: {
      type: 'boolean',
      short: 'f',
      help: 'also when a container uses the image, and with all its names when named by its id',
    },
    ...placeOptions,
  },
  run: async (context, { image, more, force = false, ...flags }) => {
    await using door = await openDoor(context, flags)
    for (const name of [image, ...more]) {
      const { untagged, removed } = await door.ask('remove', { name, force }, context)
      for (const tag of untagged) context.print(`untagged ${tag}`)
      if (removed !== undefined) context.print(`removed ${removed}`)
    }
  },
})
