/** docs/guides/crictl.md, command by command, with the real crictl. */
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import { findCriTool } from '../../scripts/cri-tools.mjs'
import { busyboxLayer } from '../support/busybox-image.ts'
import { type CriEndpoint, endpointTest } from '../support/cri-endpoint.ts'
import { guideScript } from '../support/guide.ts'
import { systemPath } from '../support/inside.ts'
import { type Registry, registryProgram, startRegistry } from '../support/registry.ts'

const crictl = findCriTool('crictl')
const title = 'every command of the guide to crictl works as it stands'

if (!crictl) test.skip(`${title} (needs crictl, which is built with Go)`, () => {})
else if (registryProgram() === undefined) test.skip(`${title} (needs docker-registry)`, () => {})
else endpointTest(title, (t, endpoint) => followGuide(t, endpoint, crictl))

async function followGuide(t: ExecutionContext, endpoint: CriEndpoint, program: string): Promise<void> {
  await using registry = await startRegistry({ network: endpoint.network })
  const layer = await busyboxLayer(endpoint.directory)
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'] },
  }
  await registry.pushImage('library/busybox', 'latest', { layers: [layer], config })
  await servedFrom(endpoint, registry)
  await symlink(program, join(endpoint.directory, 'crictl'))
  const paths = {
    '/etc/crictl.yaml': join(endpoint.directory, 'crictl.yaml'),
    '/run/keelson/cri.sock': endpoint.socketPath,
    '/tmp/': `${endpoint.directory}/`,
  }
  const script = guideScript('crictl', paths)
  t.true((script.match(/^crictl /gm) ?? []).length > 20, 'there are commands')
  const { code, stdout, stderr } = await endpoint.network.run('sh', ['-e', '-x', '-c', script], {
    env: { PATH: `${endpoint.directory}:${systemPath}`, CRI_CONFIG_FILE: paths['/etc/crictl.yaml'] },
  })
  t.is(code, 0, `${stdout.slice(-2000)}\n${stderr.slice(-2000)}`)
  t.regex(stdout, /RuntimeName: +keelson/)
  t.regex(stdout, /^web$/m, 'exec')
  t.regex(stdout, /127\.0\.0\.1\s+localhost/, 'exec --sync')
  t.regex(stdout, /^listening$/m, 'logs')
  t.regex(stdout, /httpd +1 /, 'ps')
  t.is(
    (
      await endpoint.network.run(program, ['pods', '--quiet'], {
        env: { CRI_CONFIG_FILE: paths['/etc/crictl.yaml'] },
      })
    ).stdout,
    '',
  )
}

/** docker.io, as the guide has it, is the test's registry. */
async function servedFrom(endpoint: CriEndpoint, registry: Registry): Promise<void> {
  const registries = join(endpoint.directory, 'registries.yaml')
  const mirror = { endpoints: [`http://${registry.host}`], onlyMirrors: true }
  await writeFile(registries, stringify({ 'docker.io': mirror }))
  await endpoint.stop()
  await endpoint.configure({ images: { registries } })
  await endpoint.start()
}
