/** Our CRI client against somebody else's runtime, and that the bench's containerd leaves nothing behind. */
import { existsSync, readdirSync, readlinkSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ava from 'ava'
import { busyboxImage } from '../../bench/frame/bench-image.ts'
import { missingForContainerd, startContainerd } from '../../bench/frame/containerd.ts'
import { PodCycle } from '../../bench/frame/pod-cycle.ts'
import { hasCode } from '../../src/base/index.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const missing = missingForContainerd()
const containerdTest: typeof rootTest = (title, body) => {
  if (missing.length === 0) rootTest(title, body)
  else ava.skip(`${title} (needs ${missing.join(', ')}: node scripts/peers.mjs)`, () => undefined)
}

containerdTest(
  'a pod goes through containerd with crun and with runc, and all of it is gone afterwards',
  async (t) => {
    await using logs = await temporaryDirectory()
    const cgroupParent = `/ktest-containerd-${process.pid}`
    let mounts = ''
    let directory = ''
    {
      await using containerd = await startContainerd()
      mounts = readlinkSync(`/proc/${containerd.pid}/ns/mnt`)
      directory = dirname(containerd.socketPath)
      await containerd.importImage('localhost/busybox:test', await busyboxImage())
      for (const runtimeHandler of ['crun', 'runc']) {
        const pods = new PodCycle(containerd.cri, {
          image: 'localhost/busybox:test',
          cgroupParent: `${cgroupParent}/${runtimeHandler}`,
          logDirectory: logs.path,
          runtimeHandler,
        })
        const pod = await pods.up()
        t.is(await pods.runningContainers(), 1)
        await pods.trueInside(pod)
        await pods.down(pod)
        t.is(await pods.runningContainers(), 0)
        t.false(pods.hasGroups())
        pods.removeParents()
      }
      removeGroup(cgroupParent)
      const signal = AbortSignal.timeout(10_000)
      const missing = containerd.cri.runtime.startContainer({ containerId: 'none' }, { signal })
      t.true(hasCode(await t.throwsAsync(missing), 'NOT_FOUND'))
    }
    t.deepEqual(processesIn(mounts), [])
    t.false(existsSync(directory))
    t.deepEqual(
      readdirSync('/sys/fs/cgroup').filter((name) => existsSync(join('/sys/fs/cgroup', name, cgroupParent))),
      [],
    )
  },
)

function removeGroup(path: string): void {
  for (const name of readdirSync('/sys/fs/cgroup'))
    if (existsSync(join('/sys/fs/cgroup', name, path))) rmdirSync(join('/sys/fs/cgroup', name, path))
}

function processesIn(mountNamespace: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/mnt`) === mountNamespace
    } catch {
      return false
    }
  })
}
