/**
 * What project quotas of ext4 do to writable layers, told as JSON on standard output. Run by
 * writable-layer-quota.test.ts on a machine that has such quotas, with an empty disk at /dev/ubda.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { type ImageRecord, Records } from '../../src/image/records.ts'
import { projectQuota, treeUsage } from '../../src/kernel/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { execShell } from '../support/contained.ts'
import { containerStage, plainSpec } from '../support/container.ts'
import { eventually } from '../support/eventually.ts'

const disk = '/run/disk'
const [data, limit] = [join(disk, 'data'), 4 * 2 ** 20]
const directory = join(data, 'image')
const imageId = `sha256:${'a'.repeat(64)}`

await using stage = await containerStage('quota')
const plain = await projectQuota.state(stage.folder)
execFileSync('mkfs.ext4', ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', '/dev/ubda'])
mkdirSync(disk)
execFileSync('mount', ['/dev/ubda', disk])
const counted = await projectQuota.state(disk)
execFileSync('umount', [disk])
execFileSync('mount', ['-o', 'prjquota', '/dev/ubda', disk])
const limited = await projectQuota.state(disk)
await installImage()

let store = await open()
const a = await store.snapshots.prepare('a', imageId, { bytesMax: limit })
const b = await store.snapshots.prepare('b', imageId)
const container = await start('a')
// Root with every capability, CAP_SYS_RESOURCE too: an overlay writes as who mounted it, less that one.
const fits = await execShell(container, 'dd if=/dev/zero of=/fits bs=1M count=3 2>&1')
const inside = await store.snapshots.usage('a')
const walked = await treeUsage(a.upper)
const tooMuch = await execShell(container, 'dd if=/dev/zero of=/more bs=1M count=3 2>&1')
const full = await store.snapshots.usage('a')
const size = statfsSync(a.upper)
const freed = await execShell(container, 'rm /fits /more && dd if=/dev/zero of=/again bs=1M count=2 2>&1')
await container.delete({ force: true })
const free = await start('b')
const unlimited = await execShell(free, 'dd if=/dev/zero of=/much bs=1M count=8 2>&1')
await free.delete({ force: true })

// The process dies; another had begun a layer that it did not record.
await store[Symbol.asyncDispose]()
const stray = join(directory, 'snapshots/stray')
mkdirSync(stray)
await projectQuota.assign(stray, 5002, limit)
mkdirSync(join(stray, 'upper'))
store = await open()
const found = {
  a: await store.snapshots.usage('a'),
  b: await store.snapshots.usage('b'),
  stray: existsSync(stray),
}
const c = await store.snapshots.prepare('c', imageId)
const limitedWithoutId = await codeOf(store.snapshots.prepare('d', imageId, { bytesMax: limit }))
const none = projectOf((await store.snapshots.prepare('e', imageId)).upper)
const ids = [a, b, c].map(({ upper }) => projectOf(upper))
await store.snapshots.remove('a')
const removed = await gone(5000)
const again = projectOf((await store.snapshots.prepare('d', imageId)).upper)
const other = await start('d')
const noLimit = await execShell(other, 'dd if=/dev/zero of=/much bs=1M count=6 2>&1')
await other.delete({ force: true })
for (const key of ['b', 'c', 'd', 'e']) await store.snapshots.remove(key)
await store[Symbol.asyncDispose]()
const left = await Promise.all([5000, 5001, 5002].map((id) => projectQuota.usage(disk, id)))
const answer = {
  states: { plain, counted, limited },
  ids,
  ...{ fits, inside, walked, tooMuch, full, freed, unlimited },
  sizeBytes: size.blocks * size.bsize,
  ...{ found, limitedWithoutId, none, removed, again, noLimit, left },
}
process.stdout.write(`${JSON.stringify(answer)}\n`)

function open() {
  const projectIds = { first: 5000, count: 3 }
  return openImageStore({ dataDirectory: data, projectIds, log: silentLogger, clock: systemClock })
}

/** As a pull leaves it: one layer, with busybox. */
async function installImage(): Promise<void> {
  mkdirSync(join(directory, 'layers'), { recursive: true })
  cpSync(stage.rootfs, join(directory, 'layers/base'), { recursive: true, verbatimSymlinks: true })
  await using records = new Records(await openLedger({ path: join(directory, 'metadata') }))
  const layer = { key: 'sha256:base', diffId: 'sha256:base', directory: 'base', describesRoot: false }
  const config = { architecture: '', os: '', config: {} }
  const names = { repoTags: [], repoDigests: [], layers: [layer.diffId] }
  const image = { id: imageId, sizeBytes: 1, pinned: false, config, ...names }
  const record: ImageRecord = { image, blobs: [], layerKeys: [layer.key] }
  await records.commit([
    { put: 'layer', key: layer.key, record: { ...layer, bytes: 1, inodes: 1 } },
    { put: 'image', key: imageId, record },
  ])
}

async function start(key: string) {
  const snapshot = store.snapshots.find(key)
  if (!snapshot) throw new Error(`no snapshot ${key}`)
  const { lower, upper, work } = snapshot
  const spec = plainSpec(['sleep', '1000'], ({ process }) => {
    const all = [...(process.capabilities?.bounding ?? []), 'CAP_SYS_RESOURCE', 'CAP_SYS_ADMIN']
    process.capabilities = { bounding: all, effective: all, permitted: all }
  })
  const rootfs = { kind: 'overlay', lower, upper, work, volatile: true } as const
  const life = { kind: 'monitored', logPath: stage.logPath(key) } as const
  const made = await stage.runtime.create({ id: key, spec, bundle: '/', rootfs, life })
  await made.start()
  return made
}

/** Trees are deleted after a removal was answered. */
function gone(id: number) {
  return eventually('the tree is deleted', async () => {
    const usage = await projectQuota.usage(disk, id)
    return usage.inodes === 0 && usage
  })
}

function projectOf(path: string): number {
  const [id = ''] = execFileSync('lsattr', ['-pd', path], { encoding: 'utf8' }).trim().split(/\s+/)
  return Number(id)
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error) => error.code,
  )
}
