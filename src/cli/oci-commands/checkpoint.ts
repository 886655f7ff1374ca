import { KeelsonError } from '../../base/index.ts'
import { command } from '../oci/context.ts'
import { criuOptions, criuOptionsOf, requireRoot } from '../oci/criu-options.ts'

export default command({
  name: 'checkpoint',
  summary: 'write a running container to files, with criu, and remove it',
  args: ['container'],
  options: {
    ...criuOptions,
    'parent-path': {
      type: 'string',
      value: 'DIR',
      help: 'images of the pre-dump before, relative to the images’ directory',
    },
    'leave-running': { type: 'boolean', help: 'the container goes on afterwards' },
    'pre-dump': { type: 'boolean', help: 'only memory, and the container goes on' },
    'page-server': { type: 'string', value: 'ADDRESS:PORT', help: 'send memory there instead of to files' },
    'status-fd': {
      type: 'string',
      value: 'FD',
      help: 'criu writes a NUL byte to this descriptor when lazy pages can be asked for',
    },
    'link-remap': { type: 'boolean', help: 'also with open files that have no name any more' },
    'tcp-skip-in-flight': { type: 'boolean', help: 'leave out connections that are being made' },
  },
  async run({ runtime, runtimeOptions, globals }, given) {
    requireRoot()
    const server = given['page-server']
    const status = given['status-fd']
    const options = {
      ...criuOptionsOf(given),
      criu: globals.criu,
      ...(given['parent-path'] === undefined ? {} : { parentPath: given['parent-path'] }),
      leaveRunning: given['leave-running'] === true,
      preDump: given['pre-dump'] === true,
      linkRemap: given['link-remap'] === true,
      tcpSkipInFlight: given['tcp-skip-in-flight'] === true,
      ...(server === undefined ? {} : { pageServer: addressOf(server) }),
      ...(status === undefined || status === '-1' ? {} : { statusFd: descriptorOf(status) }),
    }
    await (await runtime()).get(given.container)
    const { checkpointContainer } = await import('../../oci/criu/index.ts')
    await checkpointContainer(runtimeOptions, given.container, options)
  },
})

function addressOf(text: string): { address: string; port: number } {
  const [, address, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (address !== undefined && Number(port) <= 65_535) return { address, port: Number(port) }
  throw new KeelsonError('INVALID_ARGUMENT', `--page-server takes ADDRESS:PORT, not ${JSON.stringify(text)}`)
}

function descriptorOf(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new KeelsonError('INVALID_ARGUMENT', `--status-fd takes a descriptor, not ${JSON.stringify(text)}`)
}
