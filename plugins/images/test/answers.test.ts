import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerArchive } from './support/image-archive';
import { type StartedPlugin, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

/** Answers as dockerd 28 gives them to the same questions. */
jest.setTimeout(30_000);

const layer = tarOf([{ name: 'file', data: 'content' }]);
let folder: string;
let engine: StartedPlugin;
beforeAll(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-answers-'));
  engine = await startPlugin(folder);
  await engine.call('POST', '/images/load', dockerArchive([layer], ['team/app:v1']));
});
afterAll(async () => {
  await engine.stop();
  fs.rmSync(folder, { recursive: true });
});

const filters = (value: object) => `filters=${encodeURIComponent(JSON.stringify(value))}`;

test.each<[string, string, string, string]>([
  ['GET', `/images/json?${filters({ 'label!': ['x'] })}`, 'invalid-parameter', "invalid filter 'label!'"],
  ['GET', `/images/json?${filters({ reference: ['['] })}`, 'system', 'syntax error in pattern'],
  ['GET', '/images/get?names=nosuch', 'not-found', 'No such image: nosuch'],
  [
    'GET',
    `/images/get?names=team/app:v1&platform=${encodeURIComponent('{"os":"linux","architecture":"s390x"}')}`,
    'not-found',
    'no suitable export target found for platform linux/s390x',
  ],
  ['POST', '/images/team/app:v1/tag?repo=sha256&tag=v1', 'invalid-parameter', 'refusing to create an ambiguous tag'],
  ['POST', '/images/create?fromImage=app&tag=!', 'invalid-parameter', 'invalid tag format'],
  ['POST', '/images/create?fromSrc=-&changes=', 'invalid-parameter', 'file with no instructions'],
  ['POST', '/images/create?fromSrc=-&platform=bogus', 'invalid-parameter', 'unknown operating system or architecture'],
  ['POST', '/images/create?fromSrc=-&platform=/', 'invalid-parameter', 'is an invalid OS component'],
  ['POST', '/images/create?fromSrc=-&platform=macos', 'invalid-parameter', 'operating system is not supported'],
  ['POST', '/images/create?fromSrc=-&platform=macos/arm64', 'invalid-parameter', 'operating system is not supported'],
  ['GET', '/images/get?names=a&platform={}&platform={}', 'invalid-parameter', 'multiple platform parameters'],
  ['POST', '/images/create?fromSrc=http://127.0.0.1:1/x', 'system', 'connect: connection refused'],
])('%s %s is refused: %s, %s', async (method, url, kind, message) => {
  const call = engine.call(method, url, layer);
  await expect(call).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
});

test.each([
  ['team/app:v2', 'team/app', 'tag does not exist: team/app:v2'],
  ['nothing:v1', 'library/nothing', 'An image does not exist locally with the tag: nothing'],
])('a push of %s fails in the stream', async (name, shown, error) => {
  const [repository, tag] = name.split(':');
  expect((await engine.call('POST', `/images/${repository}/push?tag=${tag}`)).lines).toEqual([
    { status: `The push refers to repository [docker.io/${shown}]` },
    { errorDetail: { message: error }, error },
  ]);
});
