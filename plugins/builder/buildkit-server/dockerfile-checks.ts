import { EngineError } from '@gantry/sdk';
import { readDirectives } from '../dockerfile/directives';
import type { Dockerfile } from '../dockerfile/instructions';
import type { BuildRequest } from '../engine/build-request';
import type { Builder } from '../engine/builder';
import { hostPlatform, parsePlatform, platformArgs } from '../engine/platform';
import { parseCheckOptions } from '../lint/check-options';
import { type Finding, lintDockerfile } from '../lint/lint-dockerfile';

/**
 * What the checks find in a Dockerfile.
 *
 * @param stages places of those that are built; undefined = all
 * @returns fails: the author wants a finding to fail the build
 * @throws invalid-parameter  bad options of the checks
 */
export async function findingsOf(
  dockerfile: Dockerfile,
  text: string,
  request: BuildRequest,
  stages: readonly number[] | undefined,
  { images }: Builder,
): Promise<{ readonly findings: readonly Finding[]; readonly fails: boolean }> {
  const { buildArgs } = request;
  const directive = readDirectives(text.replace(/^\ufeff/, '').split(/\r?\n/), dockerfile.file).check;
  const options = parseCheckOptions(buildArgs.BUILDKIT_DOCKERFILE_CHECK ?? directive ?? '');
  const findings = await lintDockerfile(dockerfile, text, {
    options,
    buildArgs,
    automatic: platformArgs(request.platform === '' ? hostPlatform() : parsePlatform(request.platform)),
    stages: stages === undefined ? undefined : new Set(stages),
    async environment(reference) {
      try {
        return (await images.resolve(reference)).config.Env ?? [];
      } catch (error) {
        if (error instanceof EngineError) return undefined;
        throw error;
      }
    },
  });
  return { findings, fails: options.fails };
}
