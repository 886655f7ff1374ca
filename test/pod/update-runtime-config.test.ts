import test from 'ava'
import { UpdateRuntimeConfigRequest } from '../../cri/types.ts'
import { KeelsonError } from '../../src/base/index.ts'
import { updateRuntimeConfig } from '../../src/pod/update-runtime-config.ts'
import { FakeNetwork } from '../support/fake-pod-host.ts'

function told(podCidr: string): readonly string[] | undefined {
  const network = new FakeNetwork()
  let heard: readonly string[] | undefined
  network.setPodCidrs = (blocks) => {
    heard = blocks
  }
  updateRuntimeConfig(
    { network },
    UpdateRuntimeConfigRequest.fromPartial({ runtimeConfig: { networkConfig: { podCidr } } }),
  )
  return heard
}

test('one block of each family, or none, goes to the network', (t) => {
  t.deepEqual(told(''), [])
  t.deepEqual(told('10.1.0.0/24'), ['10.1.0.0/24'])
  t.deepEqual(told('fd00::/64, 10.1.0.0/24'), ['fd00::/64', '10.1.0.0/24'])
  for (const bad of [
    '10.1.0.0',
    '10.1.0.0/33',
    ',',
    '10.1.0.0/24,10.2.0.0/24',
    'a\nb/3',
    '::/0,::/1,1.1.1.1/1',
  ])
    t.like(
      t.throws(() => told(bad), { instanceOf: KeelsonError }, bad),
      { code: 'INVALID_ARGUMENT' },
    )
})
