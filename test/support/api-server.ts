import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiClient, createHttpTransport, type HttpTransport } from '../../src/api/index.ts'
import { Cleanup, type Clock, type Logger, silentLogger, systemClock } from '../../src/base/index.ts'
import { type ApiServer, startApiServer } from '../../src/control/apiserver/index.ts'
import { ensurePki, type Pki } from '../../src/control/pki/index.ts'
import { openStore, type Store } from '../../src/control/store/index.ts'

export interface TestApiServer extends AsyncDisposable {
  server: ApiServer
  store: Store
  pki: Pki
  /** Calls without a network, as a master. */
  client: ApiClient
  /** A client over TLS with this identity; default the admin's. */
  remote(identity?: { certificate: string; key: string }): HttpTransport
  /** A directory that goes with the server. */
  directory: string
}

/** A real API server on a free port of 127.0.0.1, on a store of its own in a temporary directory. */
export async function startTestApiServer(
  options: { clock?: Clock; log?: Logger } = {},
): Promise<TestApiServer> {
  const { clock = systemClock, log = silentLogger } = options
  await using undo = new Cleanup()
  const directory = await mkdtemp(join(tmpdir(), 'keelson-apiserver-'))
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const serviceCidr = '10.43.0.0/16'
  const pki = await ensurePki({ directory: join(directory, 'pki'), serviceCidr, clock: systemClock })
  const store = await undo.use(openStore({ path: join(directory, 'store'), clock, log }))
  const server = await undo.use(
    startApiServer({ store, pki, address: '127.0.0.1', port: 0, serviceCidr, clock, log }),
  )
  const owned = undo.move()
  return {
    server,
    store,
    pki,
    directory,
    client: new ApiClient(server.localTransport()),
    remote(identity = pki.admin) {
      const transport = createHttpTransport({
        server: server.url,
        ca: pki.authority,
        cert: identity.certificate,
        key: identity.key,
      })
      owned.defer(() => transport[Symbol.asyncDispose]())
      return transport
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}
