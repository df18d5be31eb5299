import { Gauge, type Registry } from 'prom-client'
import { certificateEnds, type TlsFiles } from '../security/tls.ts'

/**
 * Adds a metric of when the certificates of this process end: from then on nobody can join, nor join again. Without certificates it has no series.
 * @param name name of the metric
 */
export function collectCertificateMetrics(registry: Registry, name: string, tls: TlsFiles | undefined): void {
  const ends = new Gauge({ name, help: 'When the certificate of this process (own), or of the authority that it trusts, ends, in seconds since 1970.', labelNames: ['certificate'], registers: [registry] })
  if (tls === undefined) return
  for (const [certificate, end] of Object.entries(certificateEnds(tls))) ends.set({ certificate }, end.getTime() / 1000)
}
