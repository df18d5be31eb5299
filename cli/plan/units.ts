const BANDWIDTH = /^(\d+(?:\.\d+)?) ?([kMGT]?)(bit|bit\/s|bps|B|B\/s)$/
const DURATION = /^(\d+(?:\.\d+)?) ?(us|ms|s)$/
const PREFIXES: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }
const SECONDS: Record<string, number> = { us: 1e-6, ms: 1e-3, s: 1 }

/**
 * Parses a bandwidth: "25Gbit" or "1.25GB", with or without "/s", or "25Gbps". Prefixes are powers of 1000.
 * @returns bytes a second; undefined if the text is no bandwidth above 0
 */
export function parseBandwidth(text: string): number | undefined {
  const match = BANDWIDTH.exec(text.trim())
  const bytes = match === null ? 0 : (Number(match[1]) * PREFIXES[match[2]]) / (match[3].startsWith('b') ? 8 : 1)
  return bytes > 0 ? bytes : undefined
}

/** Parses a duration with its unit, such as "0.1ms". @returns seconds; undefined if the text is no duration */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim())
  return match === null ? undefined : Number(match[1]) * SECONDS[match[2]]
}
