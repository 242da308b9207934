import type { EventEmitter } from 'node:events';

/** Resolves when the operator wants the daemon to end. */
export interface StopSignals {
  /** At the first SIGTERM or SIGINT. */
  readonly requested: Promise<void>;
  /** At the second one. */
  readonly hurried: Promise<void>;
}

export function stopSignals(
  source: EventEmitter,
  onSignal: (signal: 'SIGTERM' | 'SIGINT', times: number) => void,
): StopSignals {
  let times = 0;
  let request!: () => void;
  let hurry!: () => void;
  const requested = new Promise<void>((resolve) => {
    request = resolve;
  });
  const hurried = new Promise<void>((resolve) => {
    hurry = resolve;
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    source.on(signal, () => {
      times++;
      request();
      if (times >= 2) hurry();
      onSignal(signal, times);
    });
  return { requested, hurried };
}
