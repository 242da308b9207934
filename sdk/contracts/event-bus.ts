import { capability } from '../plugin/capability';

/** Kinds of objects that events are about. */
export type EventType =
  | 'builder'
  | 'config'
  | 'container'
  | 'daemon'
  | 'image'
  | 'network'
  | 'node'
  | 'plugin'
  | 'secret'
  | 'service'
  | 'volume';

/** What a plugin tells the world. @see Docker Engine API, GET /events */
export interface EngineEvent {
  readonly type: EventType;
  /** `create`, `start`, `exec_create: sh`, … */
  readonly action: string;
  readonly actor: { readonly id: string; readonly attributes: Readonly<Record<string, string>> };
  readonly scope?: 'local' | 'swarm';
}

/** An event with its place in time. `sequence` grows by one with each event of this daemon. */
export interface PublishedEvent extends EngineEvent {
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly sequence: number;
}

/** Where events go to and come from. Publishing never waits and never fails. */
export interface EventBus {
  publish(event: EngineEvent): void;
  /** Calls `listener` for every later event, in order. Returns the way to stop. Listeners must not throw. */
  subscribe(listener: (event: PublishedEvent) => void): () => void;
}

/** The event bus, provided by the core. */
export const EventBus1 = capability<EventBus>('event-bus/v1');
