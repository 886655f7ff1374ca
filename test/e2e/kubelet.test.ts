/** Pods from the API server's watch down to the kernel and back as status; needs root and busybox-static. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { systemClock } from '../../src/base/index.ts'
import { removePinNamespace } from '../../src/kernel/index.ts'
import { killCgroup, planCgroup, readCgroupLayout, removeCgroup } from '../../src/oci/index.ts'
import { busyboxPath, writeBusyboxImage } from '../support/busybox-image.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('kubelet-process.ts', import.meta.url))
const title = 'pods run, crash, are adopted, fail and end, and nothing of them is left'

if (existsSync(busyboxPath))
  rootTest(title, async (t) => {
    const directory = await temporaryDirectory()
    const instance = `ktest-kubelet-${process.pid}`
    const image = join(directory.path, 'image')
    await writeBusyboxImage(image)
    try {
      const args = ['--net', '--', process.execPath, '--import=tsx', program, directory.path, instance, image]
      const { stdout } = await run('unshare', args, { timeout: 60_000 })
      const seen = JSON.parse(stdout)
      t.deepEqual(seen.first, { page: 'page green', log: 'colour green, host web\n' })
      t.deepEqual(seen.killed, { exitCode: 137 })
      t.true(seen.adopted, 'a kubelet that starts anew restarts nothing')
      t.deepEqual(seen.program, { exitCode: 128, reason: 'StartError' })
      t.true(seen.unharmed)
      t.is(seen.ended.phase, 'Succeeded')
      t.like(seen.ended.terminated, { exitCode: 0, message: 'bye\n' })
      for (const folder of ['run/pods', 'run/containers', 'data/kubelet/pods', 'data/kubelet/logs/pods'])
        t.deepEqual(await readdir(join(directory.path, folder)), [], folder)
    } finally {
      const { leaves } = planCgroup({ layout: readCgroupLayout(), path: `/${instance}` })
      await killCgroup(leaves)
      await removeCgroup(leaves, { clock: systemClock })
      await removePinNamespace({ runDirectory: join(directory.path, 'run') })
      await directory[Symbol.asyncDispose]()
    }
  })
else test.skip(`${title} (needs busybox-static)`, () => undefined)
