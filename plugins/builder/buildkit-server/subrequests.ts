import { EngineError, errorMessage, notImplemented } from '@gantry/sdk';
import type { Dockerfile } from '../dockerfile/instructions';
import { parseDockerfile } from '../dockerfile/parse-dockerfile';
import { LocatedError } from '../dockerfile/source-position';
import { BuildArgs } from '../engine/build-args';
import type { Builder } from '../engine/builder';
import { hostPlatform, parsePlatform, platformArgs } from '../engine/platform';
import { type BuildPlan, planBuild } from '../engine/stage-plan';
import { descriptionOf, type Finding, linesOf, violation } from '../lint/lint-dockerfile';
import { urlOf } from '../lint/rules';
import type { ClientContext } from './client-context';
import { findingsOf } from './dockerfile-checks';
import type { FrontendOptions } from './frontend-options';
import { outlineOf, targetsOf } from './outline';
import { reasonOf } from './source-error';
import { linesOfPosition, locationOf } from './source-location';

/** What a subrequest answers, by BuildKit's names: `result.json` and more. */
export type SubrequestResult = Readonly<Record<string, string>>;

const version = '1.0.0';

const described = (name: string, description: string, opts: readonly object[] | null) => ({
  name,
  version,
  type: 'rpc',
  description,
  opts,
  inputs: null,
  metadata: ['result.json', 'result.txt'].map((each) => ({
    name: each,
    description: '',
  })),
  refs: null,
});

/** What clients are told of; `frontend.lint` is not, and answered all the same. */
const known = [
  described('frontend.outline', 'List all parameters current build target supports', [
    { name: 'target', description: 'Target build stage' },
  ]),
  described('frontend.targets', 'List all targets current build supports', []),
  described('frontend.subrequests.describe', 'List available subrequest types', null),
];

/**
 * Answers what a client asks of a Dockerfile without building it (`--check`, `--call`).
 *
 * @throws not-implemented  no such request
 * @throws system           the Dockerfile is not there
 */
export async function answerSubrequest(
  request: string,
  options: FrontendOptions,
  context: ClientContext,
  builder: Builder,
): Promise<SubrequestResult> {
  if (request === 'frontend.subrequests.describe') return result(known);
  const names = ['frontend.lint', ...known.map(({ name }) => name)];
  if (!names.includes(request))
    throw notImplemented(`subrequest ${request} is not supported: there are ${names.join(', ')}`);
  const { dockerfile: text, dockerfileName } = await context.load();
  if (request === 'frontend.lint') return lint(text, dockerfileName, options, context, builder);
  const dockerfile = parseDockerfile(text, dockerfileName);
  if (request === 'frontend.targets') return result(targetsOf(dockerfile, text));
  const { plan, args } = planOf(dockerfile, options, context);
  return result(outlineOf(dockerfile, plan, args, text));
}

const result = (value: unknown): SubrequestResult => {
  const json = JSON.stringify(value, undefined, 2);
  return { 'result.json': json, 'result.txt': json, version };
};

function planOf(dockerfile: Dockerfile, { request }: FrontendOptions, context: ClientContext) {
  const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
  const args = new BuildArgs(request.buildArgs, platformArgs(platform));
  args.declareGlobals(dockerfile);
  const plan = planBuild(dockerfile, args, request.target, {}, request.dialect, (name) => context.named(name));
  return { plan, args };
}

async function lint(
  text: string,
  file: string,
  options: FrontendOptions,
  context: ClientContext,
  builder: Builder,
): Promise<SubrequestResult> {
  const found: Finding[] = [];
  let fault: { message: string; location: Partial<ReturnType<typeof locationOf>> } | undefined;
  try {
    const dockerfile = parseDockerfile(text, file);
    let plan: BuildPlan | undefined;
    try {
      plan = planOf(dockerfile, options, context).plan;
    } catch (error) {
      fault = faultOf(error);
    }
    // Without a target all stages are looked at.
    const stages = options.request.target === '' ? undefined : plan?.stages.map(({ index }) => index);
    const { findings, fails } = await findingsOf(dockerfile, text, options.request, stages, builder);
    found.push(...findings);
    if (fails && findings.length > 0) fault ??= { message: violation(findings), location: {} };
  } catch (error) {
    fault = faultOf(error);
  }
  const answer = {
    warnings:
      found.length === 0
        ? null
        : found.map((finding) => ({
            ruleName: finding.rule,
            description: descriptionOf(finding),
            url: urlOf(finding.rule),
            detail: finding.detail,
            location: locationOf(linesOf(finding)),
          })),
    sources: [{ filename: file, data: Buffer.from(text).toString('base64'), language: 'Dockerfile' }],
    ...(fault === undefined ? {} : { buildError: fault }),
  };
  const failed = found.length > 0 || fault !== undefined;
  return { ...result(answer), 'result.statuscode': failed ? '1' : '0' };
}

function faultOf(error: unknown) {
  if (!(error instanceof EngineError)) throw error;
  const at = error instanceof LocatedError ? error.at : undefined;
  return {
    message: at === undefined ? errorMessage(error) : reasonOf(error),
    location: at === undefined ? {} : locationOf(linesOfPosition(at)),
  };
}
