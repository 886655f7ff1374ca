/** A ledger on a small tmpfs, mounted in a mount namespace of the child's own. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { rootTest } from '../support/root.ts'
import { scratchDirectory } from '../support/scratch-directory.ts'

const root = new URL('../../src/', import.meta.url).href
const mounted = `mount -t tmpfs -o size=1m none "$0" && exec "$1" --import=tsx --input-type=module --eval "$2"`

rootTest(
  'a disk that is full fails the commits that it has no room for, nothing else, and the next ones go',
  async (t) => {
    const directory = await scratchDirectory(t)
    const program = `
    const { rmSync, writeFileSync } = await import('node:fs')
    const { openLedger } = await import('${root}ledger/index.ts')
    const ledger = await openLedger({ path: '${directory}/ledger' })
    const commit = (key) => ledger.commit([{ put: key, value: Buffer.alloc(50_000) }, { put: key + '2', value: Buffer.alloc(50_000) }])
    const outcome = (key) => commit(key).then(() => 'done', (error) => error.code)
    await commit('a')
    const filler = '${directory}/filler'
    try { writeFileSync(filler, Buffer.alloc(2 << 20)) } catch {}
    const full = []
    for (let round = 0; round < 3; round++) {
      full.push(await Promise.all(['b', 'c', 'd'].map(outcome)))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    rmSync(filler)
    const later = await outcome('e')
    const keys = [...ledger.range({})].map(([key]) => key)
    await ledger[Symbol.asyncDispose]()
    console.log(JSON.stringify({ full, later, keys }))`
    const child = ['-m', 'sh', '-c', mounted, directory, process.execPath, program]
    const { stdout } = await promisify(execFile)('unshare', child)
    const refused = Array.from({ length: 3 }, () => Array.from({ length: 3 }, () => 'RESOURCE_EXHAUSTED'))
    t.deepEqual(JSON.parse(stdout), { full: refused, later: 'done', keys: ['a', 'a2', 'e', 'e2'] })
  },
)
