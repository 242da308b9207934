import { waitAtMost } from '@gantry/sdk';

/** How long a request waits for plugins that it has not named. */
const patienceMs = 1000;
/** A plugin that could not be used is left alone for a while before it is looked at again. */
const restMs = 2000;

interface Look {
  readonly work: Promise<unknown>;
  readonly startedAt: number;
  endedAt?: number;
}

/**
 * Looks at plugins that nobody has asked for by name, all at once. A request waits a moment for those that are looked
 * at for the first time; who did not answer then is looked at again without anybody waiting.
 */
export class PluginEnumeration {
  private readonly looks = new Map<string, Look>();

  /** @param greet makes a plugin usable; whatever it throws is told by others */
  constructor(private readonly greet: (name: string) => Promise<unknown>) {}

  async look(names: readonly string[]): Promise<void> {
    for (const known of this.looks.keys()) if (!names.includes(known)) this.looks.delete(known);
    const fresh: Promise<unknown>[] = [];
    for (const name of names) {
      const last = this.looks.get(name);
      const now = performance.now();
      if (last !== undefined && now - last.startedAt < patienceMs) fresh.push(last.work);
      if (last !== undefined && (last.endedAt === undefined || now - last.endedAt < restMs)) continue;
      const look: Look = {
        startedAt: last === undefined ? now : now - patienceMs,
        work: this.greet(name).then(
          () => this.looks.delete(name),
          () => {
            look.endedAt = performance.now();
          },
        ),
      };
      this.looks.set(name, look);
      if (last === undefined) fresh.push(look.work);
    }
    if (fresh.length > 0) await waitAtMost(patienceMs, Promise.all(fresh));
  }
}
