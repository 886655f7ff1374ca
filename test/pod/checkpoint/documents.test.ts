import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/base/index.ts'
import { configDump, readConfigDump, readDeletedFiles } from '../../../src/pod/checkpoint/documents.ts'
import type { ContainerRecord } from '../../../src/pod/records.ts'
import { containerConfig } from '../../support/pod-requests.ts'

test('the image of a checkpoint is named by digest first, then by tag', (t) => {
  const record = {
    id: 'c',
    config: containerConfig('main'),
    imageName: 'docker.io/library/a:1',
    imageRef: 'docker.io/library/a@sha256:1',
    createdAtNs: 1_000_000_000n,
  } as ContainerRecord
  const dump = configDump(record, 2000)
  t.like(dump, {
    name: 'main',
    createdTime: '1970-01-01T00:00:01.000Z',
    checkpointedTime: '1970-01-01T00:00:02.000Z',
  })
  t.deepEqual(readConfigDump(JSON.stringify(dump)), {
    imageNames: [record.imageRef, record.imageName],
    checkpointedAt: '1970-01-01T00:00:02.000Z',
  })
})

test('whatever a document holds, it is read or refused', (t) => {
  const read = (text: string) => {
    for (const reader of [readConfigDump, readDeletedFiles])
      try {
        reader(text)
      } catch (error) {
        if (!hasCode(error, 'INVALID_ARGUMENT')) throw error
      }
  }
  t.notThrows(() => fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), read)))
})
