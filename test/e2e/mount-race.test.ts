/** A volume that two containers share, where one swaps what the other mounts into. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { containerStage, plainSpec } from '../support/container.ts'
import { hostDirectory, quickRequest, quickRuntime } from '../support/hostile-image.ts'
import { rootTest } from '../support/root.ts'

/** Swaps a directory of a shared volume with a symlink as fast as it can, in a thread of its own. */
function flipper(folder: string, target: string): Worker {
  const program = `
    const fs = require('node:fs')
    const { workerData, parentPort } = require('node:worker_threads')
    const attempt = (one) => { try { one(); return true } catch { return false } }
    const at = ${JSON.stringify(`${folder}/at`)}
    const stop = new Int32Array(workerData)
    let flips = 0
    let moved = 0
    parentPort.postMessage('ready')
    while (Atomics.load(stop, 0) === 0) {
      attempt(() => fs.mkdirSync(at))
      if (!attempt(() => fs.rmdirSync(at))) attempt(() => fs.renameSync(at, ${JSON.stringify(`${folder}/old-`)} + moved++))
      if (attempt(() => fs.symlinkSync(${JSON.stringify(target)}, at))) flips++
      attempt(() => fs.unlinkSync(at))
    }
    parentPort.postMessage(flips)`
  return new Worker(program, { eval: true, workerData: stopFlag.buffer })
}

const stopFlag = new Int32Array(new SharedArrayBuffer(4))
const isFull = process.env['KEELSON_TEST_FULL'] === '1'
const tries = isFull ? 10_000 : 3_000

rootTest(
  'CVE-2021-30465, CVE-2024-45310: a mount target in a shared volume that is swapped with a symlink meanwhile',
  async (t) => {
    t.timeout(600_000)
    await using stage = await containerStage('race')
    const host = hostDirectory(stage)
    const volume = join(stage.folder, 'volume')
    mkdirSync(volume)
    // The link leads somewhere inside of the container as well, so that creation goes on behind it.
    mkdirSync(join(stage.rootfs, host.path), { recursive: true })
    const racing = flipper(volume, host.path)
    await new Promise((resolve) => racing.once('message', resolve))
    const runtime = quickRuntime(stage)
    const targets = 10
    const spec = plainSpec(['true'], ({ mounts }) => {
      mounts?.push({ destination: '/vol', type: 'bind', source: volume, options: ['bind'] })
      for (let i = 0; i < targets; i++)
        mounts?.push({ destination: `/vol/at/m${i}/deep`, type: 'tmpfs', options: ['size=4k'] })
    })
    const until = Date.now() + (isFull ? 500_000 : 8_000)
    let made = 0
    let lost = 0
    try {
      while (made * targets + lost < tries && Date.now() < until) {
        try {
          const container = await runtime.create(quickRequest(stage, spec))
          await container.delete({ force: true })
          made++
        } catch (error) {
          t.regex((error as Error).message, /ENOENT|ELOOP|ENOTDIR|EEXIST|EAGAIN|EXDEV|procfs/)
          lost++
        }
        host.unchanged(t)
      }
    } finally {
      const flips = new Promise((resolve) => racing.once('message', resolve))
      Atomics.store(stopFlag, 0, 1)
      t.true(Number(await flips) > 1000, 'the attacker was at work')
    }
    t.log(`${made * targets} targets mounted, ${lost} containers refused`)
    t.true(made > 0 && made * targets + lost >= 200)
    t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(host.path))
  },
)
