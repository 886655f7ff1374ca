/** The API server: one table of resources, served over TLS and inside the process. */
export { type ApiServer, type ApiServerOptions, startApiServer } from './server.ts'
