export { listMetricDescriptors, listPodSandboxMetrics, podSandboxMetrics } from './list.ts'
