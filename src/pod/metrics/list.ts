import {
  ContainerMetrics,
  ListMetricDescriptorsResponse,
  ListPodSandboxMetricsResponse,
  Metric,
  PodSandboxMetrics,
} from '../../../cri/types.ts'
import { containerCgroup } from '../cgroup-place.ts'
import type { PodContext } from '../context.ts'
import type { ContainerRecord, SandboxRecord } from '../records.ts'
import { containerFamilies, metricDescriptors, podFamilies, type subjectLabels } from './families.ts'
import type { MetricFamily } from './family.ts'
import { readContainer, readPod } from './reading.ts'

export function listMetricDescriptors(): ListMetricDescriptorsResponse {
  return ListMetricDescriptorsResponse.fromPartial({ descriptors: [...metricDescriptors] })
}

export async function listPodSandboxMetrics(context: PodContext): Promise<ListPodSandboxMetricsResponse> {
  const podMetrics: PodSandboxMetrics[] = []
  for await (const metrics of podSandboxMetrics(context)) podMetrics.push(metrics)
  return ListPodSandboxMetricsResponse.fromPartial({ podMetrics })
}

/**
 * Of the sandboxes that are ready and the containers that run, pod after pod: hundreds at once would only wait for
 * each other. Nothing is kept between calls, so no metric has a time of its own.
 */
export async function* podSandboxMetrics(context: PodContext): AsyncGenerator<PodSandboxMetrics> {
  for (const { id } of context.store.sandboxes()) {
    const record = context.store.findSandbox(id)
    const metrics = record && record.stoppedAtNs === undefined && (await metricsOf(context, record))
    if (metrics) yield metrics
  }
}

async function metricsOf(
  context: PodContext,
  sandbox: SandboxRecord,
): Promise<PodSandboxMetrics | undefined> {
  const reading = await readPod(context, sandbox)
  if (!reading) return undefined
  const containers = await Promise.all(
    context.store.containersOf(sandbox.id).map((record) => containerMetrics(context, sandbox, record)),
  )
  return PodSandboxMetrics.fromPartial({
    podSandboxId: sandbox.id,
    metrics: metrics(podFamilies, reading, subjectOf(sandbox)),
    containerMetrics: containers.filter((one) => one !== undefined),
  })
}

async function containerMetrics(
  context: PodContext,
  sandbox: SandboxRecord,
  record: ContainerRecord,
): Promise<ContainerMetrics | undefined> {
  const reading = await readContainer(context, sandbox, record)
  return (
    reading &&
    ContainerMetrics.fromPartial({
      containerId: record.id,
      metrics: metrics(containerFamilies, reading, subjectOf(sandbox, record)),
    })
  )
}

type Subject = Record<(typeof subjectLabels)[number], string>

/** As the kubelet's own collector labels them: `id` is the cgroup, `name` the container's id. */
function subjectOf({ cgroupPath, config }: SandboxRecord, container?: ContainerRecord): Subject {
  return {
    container: container?.config.metadata?.name ?? '',
    id: container ? containerCgroup(cgroupPath, container.id) : cgroupPath,
    image: container?.imageName ?? '',
    name: container?.id ?? '',
    namespace: config.metadata?.namespace ?? '',
    pod: config.metadata?.name ?? '',
  }
}

function metrics<From>(
  families: readonly MetricFamily<From>[],
  reading: From,
  { container, id, image, name, namespace, pod }: Subject,
): Metric[] {
  const subject = [container, id, image, name, namespace, pod]
  return families.flatMap((family) =>
    family.read(reading).map(({ value, labels = [] }) =>
      Metric.fromPartial({
        name: family.name,
        metricType: family.type,
        labelValues: [...subject, ...labels],
        value: { value },
      }),
    ),
  )
}
