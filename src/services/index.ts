/** Makes Services real on a node: the nftables proxy. */
export { rulesetFor } from './ruleset.ts'
export {
  removeServiceTable,
  type ServiceProxy,
  type ServiceProxyOptions,
  startServiceProxy,
} from './service-proxy.ts'
