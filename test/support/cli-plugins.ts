import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const folders = [
  join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'cli-plugins'),
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/** The docker client's buildx plugin; undefined = this machine has none. */
export const buildxProgram = (): string | undefined =>
  [...folders, ...(process.env.PATH ?? '').split(':')]
    .map((folder) => join(folder, 'docker-buildx'))
    .find((path) => existsSync(path));
