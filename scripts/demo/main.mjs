#!/usr/bin/env node
/**
 * The demonstration: from nothing to two nginx pods behind one address, then a crash and a deletion, each seen to
 * heal. Every step checks what it shows; the exit code is 0 only if all of it was seen.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Cluster } from './cluster.mjs'
import { obtainImage } from './image.mjs'
import { countAnswers, sendRequests } from './requests.mjs'
import { heading, root, run, say, show, table } from './shell.mjs'
import { isReady, podTimes } from './times.mjs'

const manifest = 'examples/nginx-deployment.yaml'
const service = 'examples/nginx-service.yaml'
const keelson = join(root, 'bin/keelson')

if (process.getuid() !== 0) {
  say('the demo needs root: namespaces, cgroups and nftables are made for real. Try: sudo make demo')
  process.exit(1)
}

const registries = join(root, '.cache/demo/registries.yaml')
await mkdir(join(root, '.cache/demo'), { recursive: true })

heading('1. An image for nginx:1.7.9')
const image = await obtainImage(join(root, '.cache/demo'))
try {
  await writeFile(registries, JSON.stringify(image.mirrors))

  heading('2. A cluster')
  await show(keelson, ['up', '-d', '--registries', registries])
  const cluster = await Cluster.open(keelson)
  await cluster.forget(manifest, service)

  heading('3. The Deployment, unchanged, and a Service')
  const watch = await cluster.watchPods('app=nginx')
  const createdMs = Date.now()
  say((await cluster.kubectl(['create', '-f', manifest])).trim())
  say((await cluster.kubectl(['create', '-f', service])).trim())
  const pods = await watch.until('both pods are Ready', (list) => list.length === 2 && list.every(isReady))
  const readyMs = Date.now() - createdMs
  say((await cluster.kubectl(['get', 'deployments,replicasets,pods,services', '-o', 'wide'])).trimEnd())

  heading('4. 100 requests through the ClusterIP')
  const clusterIp = (
    await cluster.kubectl(['get', 'service', 'nginx', '-o', 'jsonpath={.spec.clusterIP}'], { quiet: true })
  ).trim()
  const marker = `demo-${process.pid}`
  say(`  http://${clusterIp}/`)
  await sendRequests(`http://${clusterIp}/?${marker}`, 100)
  table([['pod', 'answers'], ...(await countAnswers(cluster, pods, marker, 100))])

  heading('5. One nginx process is killed')
  const [victim, spared] = pods
  say(`  kill -9 ${await cluster.killContainer(victim)}  (${victim.metadata.name})`)
  const healedMs = await watch.time('it runs again', (list) =>
    list.some(
      (pod) =>
        pod.metadata.uid === victim.metadata.uid &&
        isReady(pod) &&
        pod.status.containerStatuses[0].restartCount > 0,
    ),
  )
  say(`  restarted and Ready after ${healedMs} ms; ${spared.metadata.name} was not touched`)
  say((await cluster.kubectl(['get', 'pods'])).trimEnd())

  heading('6. One pod is deleted')
  const names = new Set(pods.map((pod) => pod.metadata.name))
  const deleted = cluster.kubectl(['delete', 'pod', spared.metadata.name])
  const replacedMs = await watch.time('a replacement is Ready', (list) =>
    list.some((pod) => !names.has(pod.metadata.name) && isReady(pod)),
  )
  say((await deleted).trim())
  await watch.until('two Ready pods, no more', (list) => list.length === 2 && list.every(isReady))
  say(`  a replacement was Ready after ${replacedMs} ms`)
  say((await cluster.kubectl(['get', 'pods'])).trimEnd())
  await sendRequests(`http://${clusterIp}/?${marker}-after`, 20)
  say('  20 more requests: all answered')

  heading('7. Where the time went (ms after kubectl create began)')
  table([
    ['pod', 'stored', 'scheduled', 'sandbox', 'started', 'Ready'],
    ...pods.map((pod) => podTimes(watch, pod, createdMs)),
  ])
  say(`  both Ready after ${readyMs} ms, kubectl's own start included`)
  watch.stop()

  heading('What to type next')
  say(`  export KUBECONFIG=${cluster.kubeconfig}`)
  say('  kubectl get pods -o wide            kubectl scale deployment nginx-deployment --replicas 5')
  say('  kubectl logs -f deploy/nginx-deployment')
  say(`  curl http://${clusterIp}/`)
  say('  make down                            stops the cluster and undoes what it changed on this machine')
} catch (error) {
  say(`\nthe demo failed: ${error.message}`)
  await run('tail', ['-n', '5', '/var/lib/keelson/log/server.log', '/var/lib/keelson/log/node.log'], {
    quiet: true,
  }).then(say, () => undefined)
  process.exitCode = 1
} finally {
  await image.stop()
}
process.exit(process.exitCode ?? 0)
