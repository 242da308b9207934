import { parseDockerfile } from '../dockerfile/parse-dockerfile';
import { parseCheckOptions } from '../lint/check-options';
import { linesOf, lintDockerfile, violation } from '../lint/lint-dockerfile';
import { urlOf } from '../lint/rules';

const busybox = ['PATH=/bin'];

/** What the checks say, as `rule line,line detail`. */
async function said(
  text: string,
  { check = '', buildArgs = {}, stages = undefined as readonly number[] | undefined, environment = busybox } = {},
) {
  const found = await lintDockerfile(parseDockerfile(text, 'Dockerfile'), text, {
    options: parseCheckOptions(check),
    buildArgs,
    automatic: { TARGETPLATFORM: 'linux/amd64' },
    stages: stages && new Set(stages),
    environment: async (reference) => (reference === 'away' ? undefined : environment),
  });
  return found.map((finding) => `${finding.rule} ${linesOf(finding)} ${finding.detail}`);
}

test('every rule is found where it is broken, in the order of BuildKit', async () => {
  const text = [
    'ARG TAG',
    'FROM busybox as Base',
    'MAINTAINER me',
    'ENV foo bar',
    'ENV SECRET_KEY=x PUBLIC_KEY=z',
    'ARG PASSWORD',
    'WORKDIR sub',
    'run echo a \\',
    '',
    '  && echo b',
    'CMD echo hi',
    'CMD echo ho',
    'FROM --platform=$TARGETPLATFORM busybox AS base',
    'LABEL a $nope',
    'COPY $PATHH /x',
    'EXPOSE 80/TCP 1.2.3.4:80:80',
    'FROM --platform=linux/amd64 busybox AS context',
    'FROM $TAG AS x',
    'FROM busybox$TAGG AS last',
  ].join('\n');
  expect(await said(text)).toEqual([
    'NoEmptyContinuation 10 Empty continuation line',
    "StageNameCasing 2 Stage name 'Base' should be lowercase",
    "FromAsCasing 2 'as' and 'FROM' keywords' casing do not match",
    'MaintainerDeprecated 3 Maintainer instruction is deprecated in favor of using label',
    'DuplicateStageName 13 Duplicate stage name "base", stage names should be unique',
    'ReservedStageName 17 Stage name should not use the same name as reserved stage "context"',
    "ConsistentInstructionCasing 8,9,10 Command 'run' should match the case of the command majority (uppercase)",
    'InvalidDefaultArgInFrom 18 Default value for ARG $TAG results in empty or invalid base image name',
    'RedundantTargetPlatform 13 Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    'FromPlatformFlagConstDisallowed 17 FROM --platform flag should not use constant value "linux/amd64"',
    "UndefinedArgInFrom 19 FROM argument 'TAGG' is not declared (did you mean TAG?)",
    'LegacyKeyValueFormat 4 "ENV key=value" should be used instead of legacy "ENV key value" format',
    'SecretsUsedInArgOrEnv 5 Do not use ARG or ENV instructions for sensitive data (ENV "SECRET_KEY")',
    'SecretsUsedInArgOrEnv 6 Do not use ARG or ENV instructions for sensitive data (ARG "PASSWORD")',
    'WorkdirRelativePath 7 Relative workdir "sub" can have unexpected results if the base image changes',
    'JSONArgsRecommended 11 JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
    'MultipleInstructionsDisallowed 11 Multiple CMD instructions should not be used in the same stage because only the last one will be used',
    'JSONArgsRecommended 12 JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
    "UndefinedVar 14 Usage of undefined variable '$nope'",
    'LegacyKeyValueFormat 14 "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    "UndefinedVar 15 Usage of undefined variable '$PATHH' (did you mean $PATH?)",
    "ExposeInvalidFormat 16 EXPOSE instruction should not define an IP address or host-port mapping, found '1.2.3.4:80:80'",
    "ExposeProtoCasing 16 Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
  ]);
});

test('what is in order is not complained of', async () => {
  const text = [
    'ARG TAG=1',
    'FROM busybox:${TAG} AS base',
    'ARG NAME',
    'ENV A=$NAME B=$PATH',
    'WORKDIR /w',
    'WORKDIR sub',
    'SHELL ["/bin/sh", "-c"]',
    'FROM base',
    'ENV C=$A',
    'WORKDIR other',
    'RUN echo $anything',
    'CMD echo with the shell that was asked for',
  ].join('\n');
  expect(await said(text)).toEqual([]);
  expect(await said('FROM --platform=linux/amd64 busybox AS for-amd64')).toEqual([]);
  // What a base image that is not here sets, nobody knows.
  expect(await said('FROM away\nENV A=$B')).toEqual([]);
});

test('checks are left out by name, and only stages that are built have their instructions checked', async () => {
  const text = 'FROM busybox AS one\nENV a b\nCMD x\nFROM busybox\nENV c d\n';
  expect(await said(text, { check: 'skip=legacykeyvalueformat' })).toEqual([
    expect.stringMatching(/^JSONArgsRecommended/),
  ]);
  expect(await said(text, { check: 'skip=all' })).toEqual([]);
  expect(await said(text, { stages: [1] })).toEqual([expect.stringMatching(/^LegacyKeyValueFormat 5/)]);
  expect(() => parseCheckOptions('nonsense')).toThrow('invalid check option "nonsense"');
  expect(() => parseCheckOptions('error=maybe')).toThrow('invalid check option "error=maybe"');
  expect(parseCheckOptions('skip=A;error=true').fails).toBe(true);
});

test('a finding names its rule with the address that explains it', () => {
  expect(urlOf('JSONArgsRecommended')).toBe('https://docs.docker.com/go/dockerfile/rule/json-args-recommended/');
  expect(urlOf('SecretsUsedInArgOrEnv')).toBe('https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/');
  const at = { file: 'Dockerfile', line: 1, lastLine: 1, text: '' };
  const finding = (rule: 'StageNameCasing' | 'FromAsCasing') => ({ rule, detail: '', at });
  expect(violation([finding('StageNameCasing'), finding('FromAsCasing'), finding('StageNameCasing')])).toBe(
    'lint violation found for rules: StageNameCasing, FromAsCasing',
  );
});
