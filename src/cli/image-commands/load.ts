import { resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { command } from '../context.ts'
import { jsonOption, openDoor, placeOptions } from '../image/door.ts'
import { platformOption, readPlatform } from '../image/platform.ts'
import { Spool } from '../image/spool.ts'

export default command({
  name: 'load',
  summary: 'read the images of an OCI layout or a docker-archive',
  options: {
    input: { type: 'string', short: 'i', value: 'PATH', help: 'a tar or a directory (standard input)' },
    name: { type: 'string', value: 'IMAGE', help: 'what an archive with a single image is called here' },
    ...platformOption,
    ...jsonOption,
    ...placeOptions,
  },
  run: async (context, { input = '-', name, ...flags }) => {
    const { signal } = context
    const options = { ...(name === undefined ? {} : { reference: name }), ...readPlatform(flags.platform) }
    await using door = await openDoor(context, flags)
    await using spool = input === '-' ? await spooled() : undefined
    const images = await door.ask('load', { path: spool?.path ?? resolve(input), ...options }, { signal })
    if (flags.json) context.print(JSON.stringify(images, undefined, 2))
    else for (const { repoTags, id } of images) context.print(`loaded ${repoTags.join(' ') || id}`)

    async function spooled(): Promise<Spool> {
      if (context.input.isTTY)
        throw new KeelsonError('INVALID_ARGUMENT', 'no archive is given', { hint: 'name one with --input' })
      const made = await Spool.make()
      await made.fill(context.input, signal)
      return made
    }
  },
})
