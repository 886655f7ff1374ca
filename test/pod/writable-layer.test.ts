/** How much a container may write: what the node allows, what its pod asks for, and the lesser of both. */
import test from 'ava'
import { writableLayerBytesMax } from '../../src/pod/writable-layer.ts'
import { containerConfig, podConfig } from '../support/pod-requests.ts'

const annotations = (size?: string) => (size === undefined ? {} : { 'io.keelson.writable-layer-size': size })

function limit(bytesMax: number, pod?: string, container?: string): number {
  const containers = { writableLayerBytesMax: bytesMax }
  const sandbox = { config: podConfig('p', { annotations: annotations(pod) }) }
  return writableLayerBytesMax({ containers }, sandbox, {
    config: containerConfig('c', { annotations: annotations(container) }),
  })
}

test('nothing, the node’s, the pod’s, the container’s own before its pod’s, and never more than the node’s', (t) => {
  t.is(limit(0), 0)
  t.is(limit(1e9), 1e9)
  t.is(limit(0, '2Gi'), 2 ** 31)
  t.is(limit(0, '2Gi', '1Gi'), 2 ** 30)
  t.is(limit(1e9, '1M'), 1e6)
  t.is(limit(1e9, '2Gi'), 1e9)
})

test('what is no size is refused with its words', (t) => {
  for (const wrong of ['', '0', '1k', 'much', '-1Gi', '9E'])
    t.throws(() => limit(0, wrong), {
      code: 'INVALID_ARGUMENT',
      message: `annotation io.keelson.writable-layer-size: "${wrong}" is no size of at least 64Ki`,
    })
})
