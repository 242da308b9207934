/** Asks when first called, and then knows the answer. A failure is not remembered: the next call asks again. */
export function askedOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    if (known === undefined) {
      const asked = ask();
      known = asked;
      asked.catch(() => {
        if (known === asked) known = undefined;
      });
    }
    return known;
  };
}
