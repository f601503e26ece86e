import { Counter, collectDefaultMetrics, Histogram, register } from 'prom-client'
import type { App } from './app.ts'

collectDefaultMetrics()

const requests = new Counter({
  name: 'berth_http_requests_total',
  help: 'Requests answered',
  labelNames: ['service', 'method', 'status'],
})
const duration = new Histogram({
  name: 'berth_http_request_seconds',
  help: 'Time to answer',
  labelNames: ['service', 'method', 'route'],
  buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
})

export function observe(service: string, method: string, route: string, status: number, ms: number): void {
  requests.inc({ service, method, status })
  duration.observe({ service, method, route }, ms / 1000)
}

/** `/metrics` in Prometheus' text format: the whole process, whichever service's port is asked. */
export function serveMetrics(app: App): void {
  app.get('/metrics', { config: { policy: 'public' } }, async (_request, reply) =>
    reply.type(register.contentType).send(await register.metrics()),
  )
}
