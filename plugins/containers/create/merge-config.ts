import { isAbsolute } from 'node:path';
import { type ImageConfig, invalidParameter } from '@gantry/sdk';
import type { ContainerConfig, Healthcheck } from '../config/container-config';
import { cleanPath } from './mounts';

/**
 * What the user asked, completed from the image.
 *
 * @throws invalid-parameter  neither has a command
 */
export function mergeConfig(user: ContainerConfig, image: ImageConfig): ContainerConfig {
  const merged: ContainerConfig = {
    ...user,
    User: user.User || image.User || '',
    WorkingDir: cleanDirectory(user.WorkingDir) || image.WorkingDir || '',
    Env: mergeEnv(user.Env, image.Env ?? []),
    Labels: { ...image.Labels, ...user.Labels },
    Entrypoint: user.Entrypoint,
    Cmd: user.Cmd,
    OnBuild: user.OnBuild ?? null,
  };
  // A new entrypoint from the user makes the image's command meaningless; a new command keeps the entrypoint.
  if (!hasWords(user.Entrypoint)) {
    if (!hasWords(user.Cmd)) {
      merged.Cmd = copy(image.Cmd);
      if (image.ArgsEscaped) merged.ArgsEscaped = true;
    }
    if (user.Entrypoint === null) merged.Entrypoint = copy(image.Entrypoint);
  }
  if (merged.Entrypoint?.length === 1 && merged.Entrypoint[0] === '') merged.Entrypoint = null;

  const ports = { ...image.ExposedPorts, ...user.ExposedPorts };
  if (Object.keys(ports).length > 0) merged.ExposedPorts = emptyValues(ports);
  const volumes = { ...image.Volumes, ...user.Volumes };
  merged.Volumes = Object.keys(volumes).length > 0 ? emptyValues(volumes) : null;

  const stopSignal = user.StopSignal || image.StopSignal;
  if (stopSignal) merged.StopSignal = stopSignal;
  const stopTimeout = user.StopTimeout ?? image.StopTimeout;
  if (stopTimeout !== undefined) merged.StopTimeout = stopTimeout;
  if (!hasWords(user.Shell) && hasWords(image.Shell)) merged.Shell = copy(image.Shell) ?? [];
  const healthcheck = mergeHealthcheck(user.Healthcheck, image.Healthcheck);
  if (healthcheck) merged.Healthcheck = healthcheck;

  if (!hasWords(merged.Entrypoint) && !hasWords(merged.Cmd)) throw invalidParameter('no command specified');
  return merged;
}

/** A relative one stays as it is: it is refused later, in its own words. */
const cleanDirectory = (path: string): string => (isAbsolute(path) ? cleanPath(path) : path);

/** The program and its arguments. */
export function commandOf(config: ContainerConfig): { path: string; args: string[] } {
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return { path, args };
}

/** The user's variables first, then those of the image that the user did not set. */
function mergeEnv(user: readonly string[], image: readonly string[]): string[] {
  const names = new Set(user.map(variableName));
  return [...user, ...image.filter((entry) => !names.has(variableName(entry)))];
}

export const variableName = (entry: string): string => entry.split('=', 1)[0] ?? '';

function mergeHealthcheck(user: Healthcheck | undefined, image: ImageConfig['Healthcheck']): Healthcheck | undefined {
  if (user === undefined) return image === undefined ? undefined : { ...image, Test: copy(image.Test) ?? undefined };
  if (image === undefined) return user;
  const test = user.Test && user.Test.length > 0 ? user.Test : copy(image.Test);
  return {
    Test: test ?? undefined,
    Interval: user.Interval || image.Interval,
    Timeout: user.Timeout || image.Timeout,
    StartPeriod: user.StartPeriod || image.StartPeriod,
    StartInterval: user.StartInterval || image.StartInterval,
    Retries: user.Retries || image.Retries,
  };
}

const hasWords = (words: readonly string[] | null | undefined): boolean => (words?.length ?? 0) > 0;
const copy = (words: readonly string[] | null | undefined): string[] | null => (words ? [...words] : null);

function emptyValues(source: Record<string, object>): Record<string, Record<string, never>> {
  return Object.fromEntries(Object.keys(source).map((key) => [key, {}]));
}
