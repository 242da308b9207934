import { build, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';
import { ApiClient } from '../support/http-client';
import { busyboxImage, dockerArchive } from '../support/images';
import { testUnless } from '../support/test-unless';
import type { BuildCase } from './build-corpus/case';
import { configurationCases } from './build-corpus/configuration';
import { fileCases } from './build-corpus/files';
import { imageResult, withoutIds } from './build-corpus/image-result';
import { shapeBases, shapeCases } from './build-corpus/shapes';
import { stepCases } from './build-corpus/steps';

// Another daemon's socket, such as the one `node test/bench/peer.mjs start` prints.
const peer = process.env.GANTRY_BUILD_PEER;
const cases = [...configurationCases, ...fileCases, ...stepCases, ...shapeCases];

if (peer === undefined)
  testUnless('GANTRY_BUILD_PEER names none (node test/bench/peer.mjs start)')(
    'the corpus beside another daemon',
    () => {},
  );
else compareWith(new ApiClient(peer.replace('unix://', '')));

function compareWith(other: ApiClient): void {
  const daemon = daemonForSuite();
  beforeAll(async () => {
    await other.post('/images/load?quiet=1', undefined, {
      body: dockerArchive(busyboxImage()),
      headers: { 'Content-Type': 'application/x-tar' },
    });
    for (const api of [daemon().api, other])
      for (const [tag, dockerfile] of Object.entries(shapeBases))
        expect((await build(api, contextTar(dockerfile), { t: tag })).error).toBeUndefined();
  });

  test.each(cases.filter(({ notClassic }) => notClassic === undefined))('$name', async (one) => {
    const [ours, theirs] = [await resultOf(one, daemon().api), await resultOf(one, other)];
    expect({ ...ours, error: undefined }).toEqual({ ...theirs, error: undefined });
    // Ours says also where; some texts are another version's.
    for (const { error } of [ours, theirs])
      if (one.error === undefined) expect(error).toBeUndefined();
      else expect(error).toContain(one.error);
  });

  for (const { name, notClassic } of cases) if (notClassic !== undefined) testUnless(notClassic)(name, () => {});
}

/** Everything of a build that users see, without what is random or of another time. */
async function resultOf(
  { dockerfile, context, query }: BuildCase,
  api: ApiClient,
): Promise<{ readonly error: string | undefined; readonly [part: string]: unknown }> {
  const answer = await build(api, contextTar(dockerfile, context), { ...query, nocache: '1' });
  const said = {
    status: answer.status,
    error: answer.error && withoutIds(answer.error),
    errorCode: answer.errorCode,
    output: withoutIds(answer.output),
  };
  if (answer.imageId === undefined || answer.error !== undefined) return said;
  return { ...said, ...(await imageResult(answer.imageId, dockerfile, api)) };
}
