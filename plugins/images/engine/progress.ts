import { errorMessage, type ProgressMessage, type ProgressStream } from '@gantry/sdk';

/** A message with the bar that clients without their own drawing expect. */
type DrawnMessage = ProgressMessage & { readonly progress?: string };

const redrawEveryMs = 100;

/** Writes progress lines; lines that only move a bar are thinned out. Never waits: lines are small. */
export class ProgressWriter {
  private readonly drawnAt = new Map<string, number>();

  constructor(private readonly out: ProgressStream) {}

  send(message: ProgressMessage): void {
    this.out.send(message);
  }

  /** The last line of work that failed. */
  fail(error: unknown): void {
    const message = errorMessage(error);
    this.send({ errorDetail: { message }, error: message });
  }

  /** `id: status` without a bar. */
  status(id: string, status: string): void {
    this.send({ status, progressDetail: {}, id });
  }

  /** Moves a bar. `total` 0 or less = not known. */
  bar(id: string, status: string, current: number, total: number): void {
    const now = Date.now();
    const last = this.drawnAt.get(id + status) ?? 0;
    // Slow readers lose redraws, not content.
    const done = total > 0 && current >= total;
    if (!done && (now - last < redrawEveryMs || this.out.isSlow)) return;
    this.drawnAt.set(id + status, now);
    const message: DrawnMessage = {
      status,
      progressDetail: total > 0 ? { current, total } : { current },
      progress: drawBar(current, total),
      id,
    };
    this.send(message);
  }
}

/** `[===>      ]  1.2MB/4MB`, 50 characters wide. */
function drawBar(current: number, total: number): string {
  if (total <= 0 || current > total) return humanSize(current).padStart(8);
  const percent = Math.floor((current / total) * 100) / 2;
  const filled = Math.min(50, Math.floor(percent));
  const rest = 50 - filled > 0 ? ' '.repeat(50 - filled) : '';
  return `[${'='.repeat(filled)}>${rest}] ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}

/** Four significant digits, decimal units: `4.335MB`. */
export function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
