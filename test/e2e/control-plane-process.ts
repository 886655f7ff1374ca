/** Started by the kill -9 test: an API server on a store in the given directory; prints how to reach it. */
import { join } from 'node:path'
import { systemClock as clock, silentLogger as log } from '../../src/base/index.ts'
import { startApiServer } from '../../src/control/apiserver/index.ts'
import { ensurePki } from '../../src/control/pki/index.ts'
import { openStore } from '../../src/control/store/index.ts'

const directory = process.argv[2] ?? ''
const serviceCidr = '10.43.0.0/16'
const pki = await ensurePki({ directory: join(directory, 'pki'), serviceCidr, clock })
const store = await openStore({ path: join(directory, 'store'), clock, log })
const server = await startApiServer({ store, pki, address: '127.0.0.1', port: 0, serviceCidr, clock, log })
const { certificate: cert, key } = pki.admin
process.stdout.write(`${JSON.stringify({ url: server.url, ca: pki.authority, cert, key })}\n`)
