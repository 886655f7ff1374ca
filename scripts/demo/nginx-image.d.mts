/** An nginx image from the host distribution's packages: gzipped layers and the image configuration. */
export function buildNginxImage(): Promise<{ layers: Buffer[]; config: { config: Record<string, unknown> } }>
