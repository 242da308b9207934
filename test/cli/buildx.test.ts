import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addedFiles } from '../support/build';
import { buildxProgram } from '../support/cli-plugins';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';
import { testUnless } from '../support/test-unless';

const buildx = buildxProgram();
const reason = buildx === undefined && 'there is no docker-buildx in the folders of CLI plugins, nor on PATH';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });

testUnless(reason)('docker build by buildx makes an image, and shows where a Dockerfile is wrong', async () => {
  const { folder, host, api } = daemon();
  const cli = new DockerCli(host, join(folder, 'config'), { DOCKER_BUILDKIT: '1' });
  const plugins = join(folder, 'config/cli-plugins');
  mkdirSync(plugins, { recursive: true });
  symlinkSync(buildx!, join(plugins, 'docker-buildx'));
  const context = join(folder, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'a'), 'A');
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM busybox\nCOPY a /a\nRUN --mount=type=secret,id=s cat /run/secrets/s > /s\n',
  );
  const secret = `--secret=id=s,src=${join(context, 'a')}`;
  const built = await cli.run(['build', '--progress=plain', '-t', 'by-buildx', secret, context]);
  expect([built.code, built.stderr]).toEqual([0, expect.stringContaining('[2/3] COPY a /a')]);
  expect(await addedFiles(api, 'by-buildx', 1)).toMatchObject({ '/a': '0644 0:0 A', '/s': '0644 0:0 A' });
  const again = await cli.run(['build', '--progress=plain', secret, context]);
  expect(again.stderr.match(/ CACHED\n/g)!.length).toBeGreaterThanOrEqual(2);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN exit 3\n');
  const failed = await cli.run(['build', '--progress=plain', context]);
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('2 | >>> RUN exit 3')]);
});
