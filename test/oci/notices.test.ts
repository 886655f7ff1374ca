import test from 'ava'
import { landlockAnnotation } from '../../src/oci/landlock.ts'
import { noticeOfOomScore, noticesOf } from '../../src/oci/notices.ts'
import { plainHost } from '../support/host-facts.ts'

test('what is done otherwise than asked is told, each thing once', (t) => {
  const notices = noticesOf(
    {
      ociVersion: '1.3.0',
      process: { cwd: '/', capabilities: { bounding: ['CAP_FLY'] } },
      mounts: [
        { destination: 'data', type: 'tmpfs' },
        { destination: '/x', type: 'bind', source: '/y', options: ['tmpcopyup'] },
      ],
      linux: { namespaces: [{ type: 'mount', path: '/proc/1/ns/mnt' }] },
      annotations: { [landlockAnnotation]: '{"ruleset":{"scoped":["signal"]}}' },
    },
    plainHost,
  )
  t.is(notices.length, 5)
  t.regex(
    notices.join('\n'),
    /CAP_FLY[\s\S]*mounts\[0\][\s\S]*\/data[\s\S]*mounts\[1\][\s\S]*tmpcopyup[\s\S]*namespace that is joined[\s\S]*no Landlock/,
  )
  t.deepEqual(noticesOf({ ociVersion: '1.3.0' }, plainHost), [])
})

test('the out-of-memory score: told when the process has another', (t) => {
  const process = { cwd: '/', oomScoreAdj: 999 }
  t.regex(
    noticeOfOomScore(process, globalThis.process.pid) ?? '',
    /999 needs CAP_SYS_RESOURCE, the process keeps \d+/,
  )
  t.is(noticeOfOomScore({ cwd: '/' }, 1), undefined)
  t.is(noticeOfOomScore(process, 2 ** 30), undefined, 'gone already')
})
