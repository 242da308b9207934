import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContextFiles } from '../support/build';
import { buildxProgram } from '../support/cli-plugins';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';
import { ApiClient } from '../support/http-client';
import { busyboxImage, dockerArchive } from '../support/images';
import { testUnless } from '../support/test-unless';
import type { BuildCase } from './build-corpus/case';
import { configurationCases } from './build-corpus/configuration';
import { fileCases } from './build-corpus/files';
import { imageResult, withoutIds } from './build-corpus/image-result';
import { shapeBases, shapeCases } from './build-corpus/shapes';
import { stepCases } from './build-corpus/steps';

// The socket of a dockerd that has BuildKit.
const peer = process.env.GANTRY_BUILDX_PEER?.replace('unix://', '');
const buildx = buildxProgram();
const reason =
  (peer === undefined && 'GANTRY_BUILDX_PEER names no dockerd with BuildKit') ||
  (buildx === undefined && 'there is no docker-buildx in the folders of CLI plugins, nor on PATH');
const cases = [...configurationCases, ...fileCases, ...stepCases, ...shapeCases];

const olderLanguage = 'the language built into that dockerd is an older one';
/** Cases in which the other daemon does something else, with the reason. */
const otherwise: Readonly<Record<string, string>> = {
  'parents are kept, excluded files left out': olderLanguage,
  'RUN --security=insecure': olderLanguage,
  'node: dependencies first, a slim last stage, a user of its own': 'its syntax line needs a frontend image there',
  'a file missing in another stage': 'another text without the cache',
  'RUN --mount=type=cache lasts from step to step, tmpfs does not':
    'mounts of one id with different modes are different ones there',
};

if (reason) testUnless(reason)('the corpus by buildx beside another daemon', () => {});
else compareWith(peer!);

function compareWith(socket: string): void {
  const daemon = daemonForSuite();
  const theirs = new ApiClient(socket);
  const clientOf = (host: string) => {
    const config = join(daemon().folder, 'config');
    mkdirSync(join(config, 'cli-plugins'), { recursive: true });
    const link = join(config, 'cli-plugins/docker-buildx');
    if (!existsSync(link)) symlinkSync(buildx!, link);
    return new DockerCli(host, config, { DOCKER_BUILDKIT: '1' });
  };
  let turn = 0;
  const buildBoth = async (one: BuildCase, tag?: string) => {
    const folder = join(daemon().folder, `context-${turn++}`);
    writeContext(folder, one);
    return Promise.all(
      [
        { api: daemon().api, cli: clientOf(daemon().host) },
        { api: theirs, cli: clientOf(`unix://${socket}`) },
      ].map(({ api, cli }) => resultOf(one, folder, api, cli, tag)),
    );
  };

  beforeAll(async () => {
    const headers = { 'Content-Type': 'application/x-tar' };
    await theirs.post('/images/load?quiet=1', undefined, { body: dockerArchive(busyboxImage()), headers });
    for (const [tag, dockerfile] of Object.entries(shapeBases))
      for (const result of await buildBoth({ name: tag, dockerfile }, tag)) expect(result.error).toBeUndefined();
  }, 300_000);

  for (const { name } of cases) if (name in otherwise) testUnless(otherwise[name])(name, () => {});

  test.each(cases.filter(({ name }) => !(name in otherwise)))(
    '$name',
    async (one) => {
      const [ours, others] = await buildBoth(one);
      expect(ours).toEqual(others);
    },
    120_000,
  );
}

/** What a build by the client gives: the image, or what it says. */
async function resultOf(
  { dockerfile, query = {} }: BuildCase,
  folder: string,
  api: ApiClient,
  cli: DockerCli,
  tag = 'buildx-peer',
): Promise<{ readonly error?: string; readonly [part: string]: unknown }> {
  const idFile = join(folder, `../${tag.replace(/\W/g, '-')}-${Math.random()}.id`);
  const built = await cli.run(
    ['build', '--progress=plain', '--no-cache', `--iidfile=${idFile}`, '-t', tag, ...optionsOf(query), folder],
    { timeoutMs: 120_000 },
  );
  if (built.code !== 0)
    return { error: withoutRandom(built.stderr.slice(built.stderr.lastIndexOf('ERROR: ', built.stderr.length - 8))) };
  const { files, ...rest } = await imageResult(readFileSync(idFile, 'utf8'), dockerfile, api);
  // Theirs leaves a folder for resolv.conf in images that have no /etc.
  const kept = Object.entries(files).filter(([path, text]) => path !== '/etc' || text !== 'd 0755 0:0');
  return { ...rest, files: Object.fromEntries(kept) };
}

const withoutRandom = (text: string) =>
  withoutIds(text.replace(/ref [0-9a-z-]+::[0-9a-z]+/g, 'ref <ref>')).replace(
    /("https?:\/\/localhost:1)/g,
    '"//localhost:1',
  );

/** The client's flags for a query of POST /build. */
function optionsOf(query: NonNullable<BuildCase['query']>): string[] {
  return Object.entries(query).flatMap(([name, value]) => {
    switch (name) {
      case 'labels':
        return Object.entries(value).map(([key, each]) => `--label=${key}=${each}`);
      case 'buildargs':
        return Object.entries(value).map(([key, each]) => `--build-arg=${key}=${each}`);
      case 'target':
      case 'platform':
        return [`--${name}=${value}`];
      case 'networkmode':
        return [`--network=${value}`];
      case 'shmsize':
        return [`--shm-size=${value}`];
      default:
        return [];
    }
  });
}

function writeContext(folder: string, { dockerfile, context = {} }: BuildCase): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  for (const [name, file] of Object.entries(context as ContextFiles)) {
    const path = join(folder, name);
    const { data = '', link, mode, hardLink } = typeof file === 'string' ? { data: file } : file;
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (link !== undefined) symlinkSync(link, path);
    else if (hardLink !== undefined) writeFileSync(path, readFileSync(join(folder, hardLink)));
    else if (!name.endsWith('/')) writeFileSync(path, data, { mode: mode ?? 0o644 });
  }
}
