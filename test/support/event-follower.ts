import type { IncomingMessage } from 'node:http';
import { sleep } from './eventually';
import type { ApiClient } from './http-client';

export interface FollowerStyle {
  /** Goes on after the last sequence number, or from the time of the last event as every Docker client can. */
  readonly by: 'sequence' | 'time';
  readonly filters?: string;
  /** How long it does nothing after each portion it has read. */
  readonly pauseMs: number;
  readonly pauseEveryBytes: number;
  /** Pauses at most so often in all; without end when absent. */
  readonly pauses?: number;
}

interface Told {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  sequence?: number;
}

/** A slow reader of events that connects again when its connection ends, and checks that nothing goes missing. */
export class EventFollower {
  /** Numbers of the events seen, by part of the burst: the newest one, and how many. */
  readonly newest: Record<string, number> = {};
  seen = 0;
  gaps = 0;
  missed = 0;
  readonly problems: string[] = [];
  private lastTimeNano = '';
  private lastSequence: number | undefined;
  private gapBefore = false;
  private pausesLeft: number;
  private isEnded = false;
  private current: IncomingMessage | undefined;

  constructor(
    private readonly api: ApiClient,
    private readonly style: FollowerStyle,
    private readonly startNano: string,
  ) {
    this.pausesLeft = style.pauses ?? Number.POSITIVE_INFINITY;
  }

  /** Reads until `end` is called. */
  async run(): Promise<void> {
    while (!this.isEnded) {
      try {
        const response = await this.api.open('GET', `/v1.51/events?${this.query()}`);
        this.current = response;
        if (response.statusCode !== 200) this.problems.push(`status ${response.statusCode}`);
        await this.read(response);
      } catch {
        // The daemon is away.
      }
      await sleep(20);
    }
  }

  end(): void {
    this.isEnded = true;
    this.current?.destroy();
  }

  private query(): string {
    const filters = this.style.filters === undefined ? '' : `&filters=${encodeURIComponent(this.style.filters)}`;
    if (this.style.by === 'sequence') return `sequence=${this.lastSequence ?? 0}${filters}`;
    const nano = this.lastTimeNano || this.startNano;
    return `since=${nano.slice(0, -9)}.${nano.slice(-9)}${filters}`;
  }

  private async read(response: IncomingMessage): Promise<void> {
    let rest = '';
    let unpaused = 0;
    for await (const chunk of response) {
      const lines = (rest + (chunk as Buffer).toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.take(line);
      unpaused += (chunk as Buffer).length;
      if (unpaused < this.style.pauseEveryBytes || this.pausesLeft <= 0) continue;
      unpaused = 0;
      this.pausesLeft -= 1;
      await sleep(this.style.pauseMs);
    }
  }

  private take(line: string): void {
    const told = JSON.parse(line) as Told;
    const { Attributes } = told.Actor;
    if (told.sequence !== undefined) this.checkSequence(told.sequence, told);
    if (told.Type === 'daemon' && told.Action === 'gap') {
      this.gaps += 1;
      this.missed += Number(Attributes.missed ?? 0);
      this.gapBefore = true;
      return;
    }
    const timeNano = /"timeNano":(\d+)/.exec(line)![1]!;
    // Asking for a time includes the event of that time.
    if (timeNano === this.lastTimeNano) return;
    this.lastTimeNano = timeNano;
    if (told.Action !== 'burst') return;
    const part = told.Actor.ID;
    const n = Number(Attributes.n);
    const expected = (this.newest[part] ?? 0) + 1;
    if (n !== expected && !(this.gapBefore && n > expected)) this.problems.push(`${part}: ${expected} and then ${n}`);
    this.newest[part] = n;
    this.seen += 1;
    this.gapBefore = false;
  }

  private checkSequence(sequence: number, told: Told): void {
    const next = (this.lastSequence ?? 0) + (told.Action === 'gap' ? Number(told.Actor.Attributes.missed) : 1);
    if (this.style.filters === undefined && sequence !== next)
      this.problems.push(`sequence ${this.lastSequence} and then ${sequence}`);
    this.lastSequence = sequence;
  }
}
