import type { EventBus, LogBatch, LogInfo, MetricFamily } from '@gantry/sdk';

const NEWLINE = 10;

/** Counts for one run of a container. */
export interface DropCounter {
  add(messages: number): void;
  /** Tells of what was counted since the last time. */
  tell(): void;
}

/** Messages of a batch, from a position on. */
export function messagesIn({ data, partial }: LogBatch, from = 0): number {
  if (partial !== undefined) return 1;
  let count = 0;
  for (let at = data.indexOf(NEWLINE, from); at >= 0; at = data.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** A container that drops all the time is told this often at most. */
const TELL_MS = 10_000;

/** Counts what `mode=non-blocking` dropped, since the daemon started. */
export class DroppedMessages {
  private readonly byContainer = new Map<string, number>();
  private readonly byDriver = new Map<string, number>();

  constructor(private readonly events: Pick<EventBus, 'publish'>) {}

  of(containerId: string): number {
    return this.byContainer.get(containerId) ?? 0;
  }

  forget(containerId: string): void {
    this.byContainer.delete(containerId);
  }

  /** For one run of a container. `tell` when it is over. */
  counter(driver: string, info: LogInfo): DropCounter {
    let toldAt = Number.NEGATIVE_INFINITY;
    let told = this.of(info.containerId);
    const tell = () => {
      const dropped = this.of(info.containerId);
      if (dropped === told) return;
      told = dropped;
      toldAt = performance.now();
      const { containerId: id, containerName: name, imageName: image, labels } = info;
      const attributes = { ...labels, dropped: String(dropped), driver, image, name };
      this.events.publish({ type: 'container', action: 'log_drop', actor: { id, attributes } });
    };
    return {
      add: (messages) => {
        this.byContainer.set(info.containerId, this.of(info.containerId) + messages);
        this.byDriver.set(driver, (this.byDriver.get(driver) ?? 0) + messages);
        if (performance.now() - toldAt >= TELL_MS) tell();
      },
      tell,
    };
  }

  metrics(): MetricFamily {
    return {
      name: 'engine_log_messages_dropped_total',
      help: 'Log messages that found the buffer of mode=non-blocking full',
      type: 'counter',
      samples: [...this.byDriver].map(([driver, value]) => ({ labels: { driver }, value })),
    };
  }
}
