import type { StoreCheck } from '../../image/index.ts'
import { command } from '../context.ts'
import { jsonOption, openDoor, placeOptions } from '../image/door.ts'
import { sizeWords } from '../image/words.ts'

/** Exit code 1 while something is damaged. */
export default command({
  name: 'fsck',
  summary: 'compare everything that is stored with what it should be',
  options: {
    repair: { type: 'boolean', help: 'remove what is damaged; the next pull brings it back' },
    ...jsonOption,
    ...placeOptions,
  },
  run: async (context, { repair = false, ...flags }) => {
    await using door = await openDoor(context, flags)
    const check = await door.ask('fsck', { repair }, context)
    if (flags.json) context.print(JSON.stringify(check, undefined, 2))
    else for (const line of report(check)) context.print(line)
    return check.repaired || check.blobs.length + check.layers.length === 0 ? 0 : 1
  },
})

function report({
  checkedBlobs,
  checkedBytes,
  checkedLayers,
  blobs,
  layers,
  images,
  repaired,
}: StoreCheck): string[] {
  return [
    ...blobs.map(({ digest, problem }) => `blob ${digest} is ${problem}`),
    ...layers.map(({ key, problem }) => `layer ${key} is ${problem}`),
    ...images.map(
      ({ id, repoTags, runs }) =>
        `image ${repoTags.join(' ') || id} ${runs ? 'still runs, but cannot be pushed or saved' : 'does not run'}`,
    ),
    `${checkedBlobs} blobs (${sizeWords(checkedBytes)}) and ${checkedLayers} layers checked${repaired ? ', what was damaged is removed' : ''}`,
  ]
}
