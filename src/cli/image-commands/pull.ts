import { configOptions } from '../config.ts'
import { command } from '../context.ts'
import { authFor } from '../image/credentials.ts'
import { openDoor, placeOptions } from '../image/door.ts'
import { platformOption, readPlatform } from '../image/platform.ts'
import { progressOf } from '../image/progress.ts'
import { readRegistries } from '../registries.ts'

export default command({
  name: 'pull',
  summary: 'fetch an image from its registry',
  args: ['image'],
  options: {
    ...platformOption,
    quiet: { type: 'boolean', short: 'q', help: 'no progress, only the id' },
    json: { type: 'boolean', help: 'the image as JSON instead of its id' },
    registries: configOptions.registries,
    ...placeOptions,
  },
  run: async (context, { image, ...flags }) => {
    await using door = await openDoor(context, flags)
    const progress = progressOf(context, flags.quiet)
    const question = {
      reference: image,
      ...readPlatform(flags.platform),
      ...(await authFor(context, image)),
      // Else the table of the process that has the store.
      ...(flags.registries === undefined ? {} : { mirrors: await readRegistries(flags.registries) }),
    }
    try {
      const pulled = await door.ask('pull', question, {
        signal: context.signal,
        onProgress: (event) => progress.show(event),
      })
      progress.end()
      context.print(flags.json ? JSON.stringify(pulled, undefined, 2) : pulled.id)
    } catch (error) {
      progress.end()
      throw error
    }
  },
})
