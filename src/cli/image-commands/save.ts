import { resolve } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import type { ArchiveFormat } from '../../image/index.ts'
import { command } from '../context.ts'
import { openDoor, placeOptions } from '../image/door.ts'
import { Spool } from '../image/spool.ts'

const formats: readonly ArchiveFormat[] = ['oci-archive', 'oci-dir', 'docker-archive']

export default command({
  name: 'save',
  summary: 'write images as an archive that other tools read',
  args: ['image', 'more...'],
  options: {
    output: {
      type: 'string',
      short: 'o',
      value: 'PATH',
      help: 'the file, or directory for oci-dir (standard output)',
    },
    format: { type: 'string', value: 'FORMAT', help: `${formats.join(', ')} (${formats[0]})` },
    ...placeOptions,
  },
  run: async (context, { image, more, output = '-', ...flags }) => {
    const format = readFormat(flags.format)
    const names = [image, ...more]
    const { signal } = context
    await using door = await openDoor(context, flags)
    if (output !== '-') {
      await door.ask('save', { names, format, path: resolve(output) }, { signal })
      return
    }
    if (format === 'oci-dir' || context.output.isTTY)
      throw new KeelsonError('INVALID_ARGUMENT', 'this cannot be written to standard output', {
        hint: 'name a path with --output',
      })
    await using spool = await Spool.make()
    await door.ask('save', { names, format, path: spool.path }, { signal })
    await spool.empty(context.output, signal)
  },
})

function readFormat(text: string | undefined): ArchiveFormat {
  const found = text === undefined ? 'oci-archive' : formats.find((one) => one === text)
  if (found) return found
  throw new KeelsonError('INVALID_ARGUMENT', `--format is one of ${formats.join(', ')}, not "${text}"`)
}
