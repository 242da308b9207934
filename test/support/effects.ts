import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestDaemon } from './daemon';

/** The nth effect of a name, counted from 1. @see effects-preload.js */
export interface EffectPoint {
  readonly label: string;
  readonly nth: number;
}

/** For `DaemonOptions.env`: the daemon counts its effects and can be told to die before one of them. */
export const effectsEnvironment = (socketPath: string): Record<string, string> => ({
  NODE_OPTIONS: `--require=${join(__dirname, 'effects-preload.js')}`,
  GANTRY_EFFECTS_SOCKET: socketPath,
});

/** Counts the daemon's effects from zero; with a point, it is killed right before that effect. */
export async function armEffects(socketPath: string, point: EffectPoint | null): Promise<void> {
  await ask(socketPath, { arm: point });
}

/** What was done since the effects were armed, as points in the order of their first effect. */
export async function effectsSince(socketPath: string): Promise<EffectPoint[]> {
  const counts = (await ask(socketPath, { list: true })) as [string, number][];
  return counts.flatMap(([label, count]) => Array.from({ length: count }, (_, index) => ({ label, nth: index + 1 })));
}

/** True when the daemon ends within `timeoutMs`. */
export async function endsWithin(daemon: TestDaemon, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (daemon.runs && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  return !daemon.runs;
}

function ask(socketPath: string, question: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(socketPath, () => socket.write(`${JSON.stringify(question)}\n`));
    socket.on('data', (data) => {
      answer += data.toString();
    });
    socket.on('end', () => resolve(JSON.parse(answer)));
    socket.on('error', reject);
  });
}
