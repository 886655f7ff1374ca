import { createHash } from 'node:crypto'
import test from 'ava'
import { chainId } from '../../src/pod/inspect.ts'
import { fakeImage } from '../support/fake-images.ts'
import { Bench, call } from '../support/pod-bench.ts'

test('chain ids: the first is the layer itself, each next is of the one below and its own', (t) => {
  t.is(chainId([]), undefined)
  t.is(chainId(['sha256:a']), 'sha256:a')
  const sum = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
  t.is(chainId(['sha256:a', 'sha256:b', 'sha256:c']), sum(`${sum('sha256:a sha256:b')} sha256:c`))
})

test('what inspect shows: configurations in the names of the proto, labels as they are', async (t) => {
  await using bench = await Bench.open()
  const { podId, id } = await bench.running({
    logPath: 'main/0.log',
    labels: { camelCase: 'stays' },
    envs: [{ key: 'NAME', value: Buffer.from('value') }],
    linux: { resources: { cpuShares: 512n } },
  })
  const { runtime, image } = bench.service
  const { info } = await runtime.containerStatus({ containerId: id, verbose: true }, call)
  const shown = JSON.parse(info['info'] ?? '')
  t.like(shown, { sandboxID: podId, image: fakeImage.id, runtimeSpec: { ociVersion: '1.2.0' } })
  t.like(shown.config, {
    log_path: 'main/0.log',
    labels: { camelCase: 'stays' },
    envs: [{ key: 'NAME', value: 'value' }],
    linux: { resources: { cpu_shares: 512 } },
  })
  const pod = await runtime.podSandboxStatus({ podSandboxId: podId, verbose: true }, call)
  t.like(JSON.parse(pod.info['info'] ?? ''), { config: { metadata: { name: 'web' } }, pid: 0 })
  const spec = {
    image: fakeImage.id,
    annotations: {},
    userSpecifiedImage: '',
    runtimeHandler: '',
    imageRef: '',
  }
  const found = await image.imageStatus({ image: spec, verbose: true }, call)
  t.like(JSON.parse(found.info['info'] ?? ''), { imageSpec: { rootfs: { type: 'layers' } } })
  const quiet = await image.imageStatus({ image: spec, verbose: false }, call)
  t.deepEqual(quiet.info, {})
})
