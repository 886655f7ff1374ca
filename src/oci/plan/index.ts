export { decodePlan, encodePlan } from './codec.ts'
export { formatPlan } from './format.ts'
export type { Operation, Plan } from './operations.ts'
