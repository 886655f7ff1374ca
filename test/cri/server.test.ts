import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  ContainerEventResponse,
  CriError,
  connectCri,
  ExecSyncRequest,
  ExecSyncResponse,
  GetEventsRequest,
  type ImageService,
  ListImagesRequest,
  ListImagesResponse,
  type RuntimeService,
  StopContainerRequest,
  StreamImagesResponse,
  serveCri,
  VersionRequest,
  VersionResponse,
} from '../../cri/index.ts'
import { KeelsonError } from '../../src/base/index.ts'

const { signal } = new AbortController()

/** A server with only these methods and a client connected to it, in a directory of their own. */
async function pair(
  t: ExecutionContext,
  runtime: Partial<RuntimeService>,
  image: Partial<ImageService> = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'cri-'))
  const socketPath = join(directory, 'cri.sock')
  const server = await serveCri({
    socketPath,
    runtime: runtime as RuntimeService,
    image: image as ImageService,
  })
  const client = connectCri(`unix://${socketPath}`)
  const end = async () => {
    client.close()
    await server[Symbol.asyncDispose]()
  }
  t.teardown(async () => {
    await end()
    rmSync(directory, { recursive: true, force: true })
  })
  return { directory, socketPath, client, server, end }
}

test('unary calls go there and back, both services; the socket is ours alone and goes at the end', async (t) => {
  const { client, socketPath, directory, end } = await pair(
    t,
    {
      version: async (request) =>
        VersionResponse.fromPartial({ version: request.version, runtimeName: 'keelson' }),
    },
    { listImages: async () => ListImagesResponse.fromPartial({ images: [{ id: 'a', size: 5n }] }) },
  )
  const version = await client.runtime.version(VersionRequest.fromPartial({ version: 'v1' }), { signal })
  t.is(version.version, 'v1')
  t.is(version.runtimeName, 'keelson')
  const { images } = await client.image.listImages(ListImagesRequest.create(), { signal })
  t.is(images[0]?.size, 5n)
  t.is(statSync(socketPath).mode & 0o777, 0o600)
  t.deepEqual(await readdir(directory), ['cri.sock'])
  await end()
  t.deepEqual(await readdir(directory), [])
})

test('an error keeps its code and its words; what is not there is UNIMPLEMENTED and named', async (t) => {
  const { client } = await pair(t, {
    stopContainer: () => Promise.reject(new KeelsonError('NOT_FOUND', 'no container x', { hint: 'look' })),
  })
  const error = await t.throwsAsync(
    client.runtime.stopContainer(StopContainerRequest.fromPartial({ containerId: 'x' }), { signal }),
    { instanceOf: CriError },
  )
  t.is(error.code, 'NOT_FOUND')
  t.is(error.message, 'no container x: look')
  const missing = await t.throwsAsync(client.runtime.version(VersionRequest.create(), { signal }), {
    instanceOf: CriError,
  })
  t.is(missing.code, 'UNIMPLEMENTED')
  t.regex(missing.message, /version/)
})

test('a stream arrives in order, slow reader or not, and an error ends it', async (t) => {
  const { client } = await pair(t, {
    async *getContainerEvents() {
      for (let i = 0; i < 2000; i++)
        yield ContainerEventResponse.fromPartial({ containerId: String(i), createdAt: BigInt(i) })
      throw new KeelsonError('RESOURCE_EXHAUSTED', 'enough')
    },
  })
  let count = 0
  const read = async () => {
    for await (const event of client.runtime.getContainerEvents(GetEventsRequest.create(), { signal }))
      t.is(event.containerId, String(count++))
  }
  const error = await t.throwsAsync(read, { instanceOf: CriError })
  t.is(count, 2000)
  t.is(error.code, 'RESOURCE_EXHAUSTED')
})

test('a caller that gives up aborts the signal of its call, unary and stream', async (t) => {
  const aborted: string[] = []
  const until = (name: string, given: AbortSignal) =>
    new Promise<void>((resolve) => {
      given.addEventListener('abort', () => {
        aborted.push(name)
        resolve()
      })
    })
  let unaryDone: Promise<void> | undefined
  let streamDone: Promise<void> | undefined
  let started = () => {}
  const running = new Promise<void>((resolve) => {
    started = resolve
  })
  const { client } = await pair(t, {
    async execSync(_request, call) {
      unaryDone = until('unary', call.signal)
      started()
      await unaryDone
      return ExecSyncResponse.create()
    },
    async *getContainerEvents(_request, call) {
      streamDone = until('stream', call.signal)
      yield ContainerEventResponse.create()
      await streamDone
    },
  })
  const abort = new AbortController()
  const call = client.runtime.execSync(ExecSyncRequest.create(), { signal: abort.signal })
  await running
  abort.abort()
  const error = await t.throwsAsync(call, { instanceOf: CriError })
  t.is(error.code, 'CANCELLED')
  await unaryDone
  for await (const _event of client.runtime.getContainerEvents(GetEventsRequest.create(), { signal })) break
  await streamDone
  t.deepEqual(aborted, ['unary', 'stream'])
})

test('a message over 16 MiB is RESOURCE_EXHAUSTED at the client', async (t) => {
  const { client } = await pair(t, {
    execSync: async () => ExecSyncResponse.fromPartial({ stdout: Buffer.alloc(17 << 20) }),
  })
  const error = await t.throwsAsync(client.runtime.execSync(ExecSyncRequest.create(), { signal }), {
    instanceOf: CriError,
  })
  t.is(error.code, 'RESOURCE_EXHAUSTED')
})

test('a stale socket is replaced, a live one and a file are refused', async (t) => {
  const { socketPath, directory } = await pair(t, {})
  const refused = await t.throwsAsync(
    serveCri({ socketPath, runtime: {} as RuntimeService, image: {} as ImageService }),
    { instanceOf: CriError },
  )
  t.is(refused.code, 'ALREADY_EXISTS')
  t.regex(refused.message, /another process is serving/)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const noSocket = await t.throwsAsync(
    serveCri({ socketPath: file, runtime: {} as RuntimeService, image: {} as ImageService }),
    { instanceOf: CriError },
  )
  t.is(noSocket.code, 'ALREADY_EXISTS')

  const stale = join(directory, 'stale.sock')
  await leaveStale(stale)
  const server = await serveCri({
    socketPath: stale,
    runtime: { version: async () => VersionResponse.create() } as Partial<RuntimeService> as RuntimeService,
    image: {} as ImageService,
  })
  const client = connectCri(stale)
  await t.notThrowsAsync(client.runtime.version(VersionRequest.create(), { signal }))
  client.close()
  await server[Symbol.asyncDispose]()
})

test('shutting down ends open streams', async (t) => {
  const { client, server } = await pair(t, {
    async *getContainerEvents(_request, call) {
      yield ContainerEventResponse.create()
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
    },
  })
  let count = 0
  for await (const _event of client.runtime.getContainerEvents(GetEventsRequest.create(), { signal })) {
    count++
    void server[Symbol.asyncDispose]()
  }
  t.is(count, 1)
})

test('a socket path that is too long says so', async (t) => {
  const socketPath = join(tmpdir(), 'x'.repeat(120))
  const error = await t.throwsAsync(
    serveCri({ socketPath, runtime: {} as RuntimeService, image: {} as ImageService }),
    { instanceOf: CriError },
  )
  t.is(error.code, 'INVALID_ARGUMENT')
})

/** A socket file nobody listens on: bound by a server that renamed it away before it closed. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.tmp`, () => resolve()))
  renameSync(`${path}.tmp`, path)
  await new Promise((resolve) => server.close(resolve))
}

test('an answer that clients would not take is RESOURCE_EXHAUSTED in words; as a stream it arrives', async (t) => {
  const images = Array.from({ length: 17 }, (_, i) => ({ id: String(i).padEnd(1 << 20, 'x') }))
  const { client } = await pair(
    t,
    {},
    {
      listImages: async () => ListImagesResponse.fromPartial({ images }),
      async *streamImages() {
        for (const image of images) yield StreamImagesResponse.fromPartial({ images: [image] })
      },
    },
  )
  const error = await t.throwsAsync(client.image.listImages(ListImagesRequest.create(), { signal }))
  t.like(error, { code: 'RESOURCE_EXHAUSTED' })
  t.regex(
    error?.message ?? '',
    /^the answer of listImages would have 17\d+ bytes, more than 16777216: .* Stream RPC$/,
  )
  let count = 0
  for await (const { images } of client.image.streamImages({ filter: undefined }, { signal }))
    count += images.length
  t.is(count, images.length)
})
