/** How long to wait after so many failures: 1, 2, 4, 8, … s, at most a minute. */
export const backoffMs = (tries: number): number => Math.min(1000 * 2 ** (tries - 1), 60_000)
