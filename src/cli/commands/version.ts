import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { command } from '../command.ts'
import type { Context } from '../context.ts'

export default command({
  name: 'version',
  summary: 'print the version of keelson, Node and the kernel',
  run: async ({ print, launcher }: Context) => {
    const text = await readFile(join(dirname(launcher), '../package.json'), 'utf8')
    const kernel = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim()
    print(`keelson ${(JSON.parse(text) as { version: string }).version}`)
    print(`node ${process.version}, linux ${kernel} ${process.arch}`)
  },
})
