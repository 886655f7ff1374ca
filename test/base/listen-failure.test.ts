import { once } from 'node:events'
import { createServer } from 'node:net'
import test from 'ava'
import { listenFailure } from '../../src/base/index.ts'

async function failureOf(address: string, port: number): Promise<unknown> {
  const server = createServer().listen(port, address)
  return once(server, 'listening').then(
    () => server.close(),
    (error) => listenFailure(error, { address, port, purpose: 'the door' }),
  )
}

test('a port in use and an address of another machine are named, with what to do', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  t.like(await failureOf('127.0.0.1', port), {
    code: 'ALREADY_EXISTS',
    message: `another process listens on 127.0.0.1:${port} already`,
    hint: 'stop it, or choose another port for the door',
  })
  t.like(await failureOf('192.0.2.1', 0), {
    code: 'INVALID_ARGUMENT',
    message: '192.0.2.1 is no address of this machine',
  })
})
