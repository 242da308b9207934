import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PluginState } from './supervisor';

const everyMs = 1000;

/** The states of all plugins, where a person can read them even when the API does not answer. */
export interface PluginStates {
  readonly pid: number;
  readonly plugins: readonly PluginState[];
}

export const stateFilePath = (execRoot: string): string => join(execRoot, 'plugins.json');

/** Writes the states down whenever they have changed, at most once a second. */
export class StateFile {
  private timer: NodeJS.Timeout | undefined;
  private written = '';
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly execRoot: string,
    private readonly states: () => readonly PluginState[],
  ) {}

  async open(): Promise<void> {
    await this.write();
    this.timer = setInterval(() => {
      this.last = this.write().catch(() => undefined);
    }, everyMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.last;
    await rm(stateFilePath(this.execRoot), { force: true });
  }

  private async write(): Promise<void> {
    const content: PluginStates = { pid: process.pid, plugins: this.states() };
    const text = `${JSON.stringify(content)}\n`;
    if (text === this.written) return;
    const draft = `${stateFilePath(this.execRoot)}.new`;
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, stateFilePath(this.execRoot));
    this.written = text;
  }
}

/** @returns undefined  no daemon has written any */
export async function readStates(execRoot: string): Promise<PluginStates | undefined> {
  try {
    return JSON.parse(await readFile(stateFilePath(execRoot), 'utf8')) as PluginStates;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
