import { configOptions } from '../config.ts'
import { command } from '../context.ts'
import { authFor } from '../image/credentials.ts'
import { openDoor, placeOptions } from '../image/door.ts'
import { progressOf } from '../image/progress.ts'
import { readRegistries } from '../registries.ts'

export default command({
  name: 'push',
  summary: 'upload an image to a registry',
  args: ['image', 'to?'],
  options: {
    quiet: { type: 'boolean', short: 'q', help: 'no progress, only name and digest' },
    json: { type: 'boolean', help: 'name and digest as JSON' },
    registries: configOptions.registries,
    ...placeOptions,
  },
  run: async (context, { image, to, ...flags }) => {
    await using door = await openDoor(context, flags)
    const progress = progressOf(context, flags.quiet)
    const question = {
      name: image,
      ...(to === undefined ? {} : { to }),
      ...(await authFor(context, to ?? image)),
      ...(flags.registries === undefined ? {} : { mirrors: await readRegistries(flags.registries) }),
    }
    try {
      const pushed = await door.ask('push', question, {
        signal: context.signal,
        onProgress: (event) => progress.show(event),
      })
      progress.end()
      context.print(
        flags.json ? JSON.stringify(pushed, undefined, 2) : `${pushed.reference}@${pushed.digest}`,
      )
    } catch (error) {
      progress.end()
      throw error
    }
  },
})
