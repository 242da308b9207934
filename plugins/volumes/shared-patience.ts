import { withDeadline } from '@gantry/sdk';

/** How long one driver may hold up a question that is put to all of them. */
const patienceMs = 2000;
/** The same for one that has just let such a question pass, and how long that is held against it. */
const lessPatienceMs = 100;
const rememberedMs = 10_000;

/** What one driver that hangs may cost those who ask all of them: once the full wait, then next to nothing. */
export class SharedPatience {
  private readonly silentUntil = new Map<string, number>();

  /**
   * Puts a question that others wait for too.
   *
   * @param what names the question in the message about an answer that did not come
   * @throws deadline     no answer in the time this driver gets
   * @throws cancelled    the asker has left; whatever else the work throws
   */
  async ask<T>(
    driver: string,
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const silent = (this.silentUntil.get(driver) ?? 0) > performance.now();
    const limitMs = silent ? lessPatienceMs : patienceMs;
    const askedAt = performance.now();
    const answered = () => this.silentUntil.delete(driver);
    try {
      const answer = await withDeadline(what, limitMs, work, signal);
      answered();
      return answer;
    } catch (error) {
      if (signal?.aborted) throw error;
      if (performance.now() - askedAt < limitMs) answered();
      else if (!silent) this.silentUntil.set(driver, performance.now() + rememberedMs);
      throw error;
    }
  }
}
