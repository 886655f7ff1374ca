export type CriToolName = 'crictl' | 'critest' | 'ginkgo'
export const criToolsVersion: string
/** Path of a tool that was built; undefined where it is absent. */
export function findCriTool(name: CriToolName): string | undefined
