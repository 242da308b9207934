import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContainerManager, EngineError, errorMessage, type Logger } from '@gantry/sdk';

/**
 * Containers of build steps. Each is written down before it is made: containers outlive the daemon, builds do not, and
 * a daemon that comes after must know which ones nobody waits for.
 */
export class StepContainers {
  private constructor(
    private readonly folder: string,
    private readonly containers: ContainerManager,
    private readonly log: Logger,
  ) {}

  static async open(folder: string, containers: ContainerManager, log: Logger): Promise<StepContainers> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new StepContainers(folder, containers, log);
  }

  /** @returns its id */
  async create(
    config: Readonly<Record<string, unknown>>,
    hostConfig: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<string> {
    const id = randomBytes(32).toString('hex');
    await writeFile(join(this.folder, id), '');
    try {
      await this.containers.create({ id, config, hostConfig }, signal);
      return id;
    } catch (error) {
      await this.keep(id);
      throw error;
    }
  }

  /** Kills and removes it, with its volumes. */
  async remove(id: string): Promise<void> {
    try {
      await this.containers.remove(id, { force: true, volumes: true });
    } catch (error) {
      if (!(error instanceof EngineError && error.kind === 'not-found'))
        this.log.warn('a container of a build step could not be removed', { id, error: errorMessage(error) });
    }
    await this.keep(id);
  }

  /** It is the user's from now on. */
  async keep(id: string): Promise<void> {
    await rm(join(this.folder, id), { force: true });
  }

  /** Removes what builds of an earlier daemon have left. */
  async collect(): Promise<void> {
    for (const id of await readdir(this.folder)) {
      this.log.info('removing a container of a build that was cut off', { container: id.slice(0, 12) });
      await this.remove(id);
    }
  }
}
