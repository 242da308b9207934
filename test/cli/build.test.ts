import { addedFiles, build, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';
import type { BuildCase } from './build-corpus/case';
import { configurationCases } from './build-corpus/configuration';
import { fileCases } from './build-corpus/files';
import { shapeBases, shapeCases } from './build-corpus/shapes';
import { stepCases } from './build-corpus/steps';

const daemon = daemonForSuite();
const api = () => daemon().api;
const cases = [...configurationCases, ...fileCases, ...stepCases, ...shapeCases];

interface Inspected {
  readonly Config: Record<string, unknown>;
  readonly RootFS: { readonly Layers?: string[] };
}
const inspect = async (image: string) =>
  (await api().get(`/images/${encodeURIComponent(image)}/json`)).json<Inspected>();

beforeAll(async () => {
  for (const [tag, dockerfile] of Object.entries(shapeBases)) {
    const made = await build(api(), contextTar(dockerfile), { t: tag });
    expect(made.error).toBeUndefined();
  }
});

test.each(cases)('$name', async (one: BuildCase) => {
  const answer = await build(api(), contextTar(one.dockerfile, one.context), one.query);
  if (one.error !== undefined) {
    expect(answer.error ?? 'no error').toContain(one.error);
    expect(answer.status).toBe(one.status ?? 200);
    if (one.errorCode !== undefined) expect(answer.errorCode).toBe(one.errorCode);
    return;
  }
  expect(answer.error).toBeUndefined();
  expectInOrder(answer.output, one.output ?? []);
  const image = await inspect(answer.imageId!);
  expect(image.Config).toMatchObject(one.config ?? {});
  expect(image).toMatchObject(one.inspect ?? {});
  if (one.files === undefined) return;
  const onScratch = /^FROM scratch/m.test(
    one.dockerfile
      .split(/^FROM /m)
      .at(-1)!
      .replace(/^/, 'FROM '),
  );
  const added = await addedFiles(api(), answer.imageId!, onScratch ? 0 : 1);
  const wanted = Object.fromEntries(Object.entries(one.files).map(([path, text]) => [path, inFull(text)]));
  const seen = Object.entries(added).filter(([path, text]) => !text.startsWith('d ') || path in wanted);
  expect(Object.fromEntries(seen)).toEqual(wanted);
});

const inFull = (text: string) => (/^(?:d |l |= |-$|[0-7]{4} \d+:\d+ )/.test(text) ? text : `0644 0:0 ${text}`);

function expectInOrder(output: string, parts: readonly string[]): void {
  let at = 0;
  for (const part of parts) {
    const found = output.indexOf(part, at);
    expect(found < 0 ? { missing: part, output } : {}).toEqual({});
    at = found + part.length;
  }
}
