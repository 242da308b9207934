import type { ProgressMessage } from '@gantry/sdk';

/** Where a build's messages go. */
export interface BuildOutput {
  /** Text as a terminal shows it. */
  text(text: string): void;
  /** Text of stderr: red, as the classic builder has it. */
  errorText(text: string): void;
  message(message: ProgressMessage): void;
  /** What a command says. */
  log(source: 'stdout' | 'stderr', text: string): void;
  /** The step was carried out before. */
  cached(): void;
}

const red = (text: string) => `\u001b[91m${text}\u001b[0m`;

const toMessages = (send: (message: ProgressMessage) => void): BuildOutput => ({
  text: (stream) => send({ stream }),
  errorText: (stream) => send({ stream: red(stream) }),
  message: send,
  log: (source, text) => send({ stream: source === 'stdout' ? text : red(text) }),
  cached: () => send({ stream: ' ---> Using cache\n' }),
});

/** A build's output as one stream of messages. */
export const outputTo = toMessages;

const heldMessages = 10_000;

/**
 * Puts the output of stages that run side by side one after the other: the first open one is seen as it happens, those
 * behind it when their turn comes.
 */
export class OrderedOutput {
  private readonly turns: { held: ProgressMessage[]; dropped: number; ended: boolean }[] = [];
  private current = 0;

  constructor(
    private readonly send: (message: ProgressMessage) => void,
    count: number,
  ) {
    for (let index = 0; index < count; index++) this.turns.push({ held: [], dropped: 0, ended: false });
  }

  at(index: number): BuildOutput {
    const turn = this.turns[index]!;
    return toMessages((message) => {
      if (index === this.current) return this.send(message);
      turn.held.push(message);
      // The end of a long output says more than its beginning.
      if (turn.held.length > heldMessages) {
        turn.held.shift();
        turn.dropped++;
      }
    });
  }

  end(index: number): void {
    this.turns[index]!.ended = true;
    this.advance();
  }

  /** A stage failed: what it said so far is shown now, and nothing of those between. */
  fail(index: number): void {
    if (index === this.current) return;
    this.flush(index);
    this.current = index;
  }

  private advance(): void {
    while (this.turns[this.current]?.ended) {
      this.current++;
      if (this.current < this.turns.length) this.flush(this.current);
    }
  }

  private flush(index: number): void {
    const turn = this.turns[index]!;
    if (turn.dropped > 0) this.send({ stream: `[${turn.dropped} earlier messages of this stage are not shown]\n` });
    for (const message of turn.held.splice(0)) this.send(message);
    turn.dropped = 0;
  }
}
