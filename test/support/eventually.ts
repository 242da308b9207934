/** On a machine that is slower by far, such as an emulated one, every deadline is so many times longer. */
export const patience = Number(process.env.GANTRY_PATIENCE ?? 1);

/**
 * Asks until the answer is neither undefined nor false, or fails saying what was waited for and the last answer.
 *
 * @param timeoutMs default 15,000
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs * patience;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs * patience} ms for ${what}; last: ${String(last)}`);
    await sleep(50);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
