export { decodePlan, encodePlan } from './codec.ts'
export { formatPlan } from './format.ts'
export type { Plan } from './operations.ts'
