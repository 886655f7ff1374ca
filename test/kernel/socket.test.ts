import { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { hasErrno } from '../../src/base/index.ts'
import { connectLoopback } from '../../src/kernel/index.ts'
import { testNamespaces } from '../support/network-namespaces.ts'
import { rootTest } from '../support/root.ts'
import { serve } from '../support/traffic.ts'

rootTest(
  'connectLoopback reaches what listens on the loopback of that namespace only, by IPv4 or IPv6',
  async (t) => {
    await using namespaces = await testNamespaces()
    const [one, other] = [await namespaces.get('one'), await namespaces.get('other')]
    for (const [name, host, port] of [
      ['v4', '127.0.0.1', 81],
      ['v6', '::1', 82],
    ] as const) {
      await using _server = await serve(one, name, { host, port })
      const { fd } = await connectLoopback(one.fd, port)
      t.regex(await text(new Socket({ fd })), new RegExp(`^${name} saw`))
      const refused = await t.throwsAsync(connectLoopback(other.fd, port), {
        message: new RegExp(`:${port}`),
      })
      t.true(hasErrno(refused, 'ECONNREFUSED'))
    }
    const refused = await t.throwsAsync(connectLoopback(one.fd, 83))
    t.true(hasErrno(refused, 'ECONNREFUSED'))
  },
)
