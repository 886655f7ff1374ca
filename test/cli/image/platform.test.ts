import test from 'ava'
import { readPlatform } from '../../../src/cli/image/platform.ts'

test('a platform is read, its absence too, and anything else is refused', (t) => {
  t.deepEqual(readPlatform(undefined), {})
  t.deepEqual(readPlatform('linux/arm64'), {
    platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  })
  t.deepEqual(readPlatform('linux/arm/v7'), {
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
  })
  for (const text of ['', 'linux/', '/amd64', 'linux/arm/', 'a/b/c/d'])
    t.throws(() => readPlatform(text), { message: /is not a platform/ })
})
