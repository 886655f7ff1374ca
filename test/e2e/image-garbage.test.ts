/** A disk that is fuller than allowed loses the images that no container uses, and no others. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { file, tar } from '../support/archive.ts'
import { type CriEndpoint, call, endpointTest } from '../support/cri-endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { addImage } from '../support/layered-image.ts'

const metricsPort = 9180
const askMetrics = `fetch('http://127.0.0.1:${metricsPort}/metrics').then((answer) => answer.text()).then(console.log)`

async function addNoise(layout: string): Promise<void> {
  for (const name of ['oldest', 'older', 'taken'])
    await addImage(layout, `localhost/${name}:1`, [await tar(file('noise', randomBytes(6 * 2 ** 20)))])
}

async function names({ client }: CriEndpoint): Promise<string[]> {
  const { images } = await client.image.listImages({ filter: undefined }, call)
  return images.flatMap(({ repoTags }) => repoTags.map((tag) => tag.replace(/^.*\//, ''))).toSorted()
}

/** Each image is there twice, as a blob and unpacked: 40 of 48 MiB. */
const settings = {
  images: { garbage: { highPercent: 60, lowPercent: 20, minAgeMs: 0, intervalMs: 1500 } },
  metrics: { address: `127.0.0.1:${metricsPort}` },
}
const mounts = 'mkdir data && mount -t tmpfs -o size=48m none data'

endpointTest(
  'images that no container uses are removed from a disk that is too full, and told of',
  async (t, endpoint) => {
    const pod = await endpoint.pod()
    const running = await endpoint.run(pod, 'busy')
    const created = await endpoint.create(pod, 'idle', { image: { image: 'localhost/taken:1' } })
    const left = (...wanted: string[]) =>
      eventually(wanted.join(), async () => (await names(endpoint)).join() === wanted.join())
    await left('busybox:test', 'taken:1')
    await eventually('what is used stays, and that is told', async () =>
      (await readFile(endpoint.logPath, 'utf8')).includes('no image is left that may go'),
    )
    t.deepEqual(await names(endpoint), ['busybox:test', 'taken:1'])
    const { stdout } = await endpoint.network.run(process.execPath, ['-e', askMetrics])
    t.regex(stdout, /^keelson_images_collected_total 2$/m)
    t.regex(stdout, /^keelson_images_collected_bytes_total 25\d{6}$/m)

    // The disk is no longer above the high mark: what is unused now stays until a container has filled it again.
    await endpoint.runtime.removeContainer({ containerId: created }, call)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    t.deepEqual(await names(endpoint), ['busybox:test', 'taken:1'])
    const cmd = ['dd', 'if=/dev/zero', 'of=/tmp/much', 'bs=1M', 'count=20']
    const { exitCode } = await endpoint.runtime.execSync({ containerId: running, cmd, timeout: 20n }, call)
    t.is(exitCode, 0)
    await left('busybox:test')
    await endpoint.removePod(pod)
  },
  { settings, mounts, images: addNoise },
)
