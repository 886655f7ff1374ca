import test from 'ava'
import { negotiate } from '../../../../src/control/apiserver/http/media-type.ts'

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'

test('the first entry that we serve wins', (t) => {
  t.deepEqual(negotiate(undefined), { format: 'json', form: 'object', version: 'v1' })
  t.is(negotiate(`${table},application/json`).form, 'table')
  t.is(negotiate('application/json;as=Table;v=v1beta1;g=meta.k8s.io').version, 'v1beta1')
  t.is(negotiate('application/vnd.kubernetes.protobuf,application/json').form, 'object')
  t.is(negotiate('application/yaml').format, 'yaml')
  t.is(negotiate('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io').form, 'metadata')
  t.is(negotiate('text/html, */*').format, 'json')
})

test('what nobody can serve is 406', (t) => {
  for (const accept of [
    'application/vnd.kubernetes.protobuf',
    'application/json;as=Table;v=v7',
    'text/plain',
  ]) {
    t.throws(() => negotiate(accept), { message: /only the following media types/ }, accept)
  }
})
