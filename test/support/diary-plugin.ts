import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const programPath = resolve(__dirname, '../../examples/log-over-socket/dist/main.js');

/** The log plugin of the examples, in a process of its own that can be killed and started again. */
export class DiaryPlugin {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly name: string,
    private readonly options: readonly string[],
  ) {}

  /** For the tests of a file: it is there before the first one and gone after the last. @param options of the program */
  static forSuite(name = 'diary', ...options: readonly string[]): DiaryPlugin {
    const plugin = new DiaryPlugin(mkdtempSync(join(tmpdir(), 'gantry-diary-')), name, options);
    beforeAll(() => plugin.start());
    afterAll(async () => {
      await plugin.kill();
      rmSync(plugin.folder, { recursive: true, force: true });
    });
    return plugin;
  }

  get socket(): string {
    return join(this.folder, `${this.name}.sock`);
  }

  /** Where it keeps its logs. */
  get root(): string {
    return join(this.folder, 'diaries');
  }

  async start(): Promise<void> {
    const args = [programPath, '--socket', this.socket, '--root', this.root, ...this.options];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(this.child.stdout!, 'data');
  }

  /** It does nothing more until it is killed. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
