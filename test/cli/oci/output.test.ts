import test from 'ava'
import { SyscallError } from '../../../src/base/index.ts'
import { errorLine } from '../../../src/cli/oci/report.ts'
import { table } from '../../../src/cli/oci/table.ts'
import { filterPs } from '../../../src/cli/oci-commands/ps.ts'

test('the table of no containers is runc’s, byte for byte', (t) => {
  t.is(
    table([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']]),
    'ID          PID         STATUS      BUNDLE      CREATED     OWNER\n',
  )
})

test('long cells push their column', (t) => {
  const text = table([
    ['ID', 'PID'],
    ['a-container-with-a-name', '1'],
  ])
  t.is(text, 'ID                        PID\na-container-with-a-name   1\n')
})

test('an error is one line that names call, errno, path and what to do', (t) => {
  const error = new SyscallError({ call: 'mount', errno: 'EPERM', path: '/x', op: 'create', hint: 'be root' })
  t.is(errorLine(error, 'create'), 'create: mount /x: EPERM: operation not permitted (be root)')
})

test('ps keeps the heading and the lines whose PID is ours', (t) => {
  const output =
    'UID          PID    PPID CMD\nroot           1       0 init\nroot          12       1 sh 1\n'
  t.is(filterPs(output, [12]), 'UID          PID    PPID CMD\nroot          12       1 sh 1\n')
  t.throws(() => filterPs('CMD\nsh\n', [1]), { message: /PID column/ })
})
