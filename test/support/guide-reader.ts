import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestDaemon } from './daemon';
import { eventually } from './eventually';
import { type GuideCommand, type GuidePart, type GuideStep, printed } from './guide';

type JsonObject = Record<string, unknown>;

/**
 * Does what a guide says, in the folder of a daemon. In place of the folders of a machine stand the daemon's own; what a
 * guide puts into daemon.json is added to what is there; and installing the SDK has been done.
 */
export class GuideReader {
  private readonly programs: ChildProcess[] = [];
  private readonly env: NodeJS.ProcessEnv;

  constructor(
    private readonly daemon: TestDaemon,
    bin: string,
  ) {
    this.env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      DOCKER_HOST: daemon.host,
      DOCKER_CONFIG: join(daemon.folder, 'client'),
      npm_config_update_notifier: 'false',
      npm_config_loglevel: 'error',
    };
  }

  async follow(part: GuidePart): Promise<void> {
    for (const step of part.steps) await this.take(step);
  }

  /** Ends the programs that stay. */
  async end(): Promise<void> {
    await Promise.all(
      this.programs.map(async (program) => {
        if (program.exitCode !== null || program.signalCode !== null) return;
        program.kill('SIGTERM');
        await once(program, 'exit');
      }),
    );
  }

  private async take(step: GuideStep): Promise<void> {
    if (step.kind === 'file') this.write(step.name, this.here(step.content));
    else if (step.mode === 'starts') {
      await this.daemon.stop();
      await this.daemon.start();
    } else if (step.mode === 'stays') for (const command of step.commands) await this.serve(command);
    else if (step.mode === 'soon')
      for (const each of step.commands) await eventually(each.command, () => this.type(each).then(() => true));
    else for (const command of step.commands) await this.type(command);
  }

  private here(text: string): string {
    return text
      .replaceAll('/var/run/docker.sock', this.daemon.socketPath)
      .replaceAll('/run/docker/plugins', join(this.daemon.folder, 'plugins'))
      .replaceAll('/run/docker', this.daemon.execRoot)
      .replaceAll('/srv', join(this.daemon.folder, 'srv'))
      .replaceAll('127.0.0.1:9323', '127.0.0.1:0');
  }

  private write(name: string, content: string): void {
    if (name !== 'daemon.json') {
      writeFileSync(join(this.daemon.folder, name), content);
      return;
    }
    const said = JSON.parse(content) as JsonObject;
    const plugins = { ...(this.daemon.config.plugins as JsonObject), ...(said.plugins as JsonObject) };
    this.daemon.changeConfig({ ...said, plugins });
  }

  private async type({ command, prints }: GuideCommand): Promise<void> {
    if (command.startsWith('npm install')) return;
    const { said, code } = await this.run(this.here(command));
    expect(`$ ${command}\n${said.trim()}`).toMatch(
      new RegExp(`^\\$ .*\\n${printed(this.here(prints)).source.slice(1)}`),
    );
    if (!prints.startsWith('Error')) expect(`${command}: ${code}`).toBe(`${command}: 0`);
  }

  private async run(command: string): Promise<{ said: string; code: number }> {
    const program = spawn('sh', ['-c', command], { cwd: this.daemon.folder, env: this.env, stdio: 'pipe' });
    let said = '';
    for (const stream of [program.stdout, program.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
      });
    program.stdin.end();
    const [code] = (await once(program, 'close')) as [number];
    return { said, code };
  }

  /** Starts a program that stays, and waits until it says what the guide shows. */
  private async serve({ command, prints }: GuideCommand): Promise<void> {
    const program = spawn('sh', ['-c', this.here(command).replace(/^((?:\w+=\S+ )*)/, '$1exec ')], {
      cwd: this.daemon.folder,
      env: this.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.programs.push(program);
    let said = '';
    program.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await eventually(`"${prints}" of ${command}`, () => {
      if (program.exitCode !== null) throw new Error(`it ended with ${program.exitCode}: ${said}`);
      return printed(this.here(prints)).test(said.trim());
    });
  }
}
