import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { treeSize, treeSizes } from '../tree-size';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gantry tree-size-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('files are counted once per tree, in the order of the trees; what cannot be read counts nothing', async () => {
  const [one, two, empty] = ['one', 'two', 'empty'].map((name) => join(root, name));
  for (const path of [one, two, empty]) await mkdir(join(path!, 'sub dir'), { recursive: true });
  await writeFile(join(one!, 'a'), Buffer.alloc(1000));
  await link(join(one!, 'a'), join(one!, 'sub dir/again'));
  await writeFile(join(one!, 'sub dir/b\nc'), Buffer.alloc(23));
  await link(join(one!, 'a'), join(two!, 'shared'));
  expect(await treeSizes([two!, empty!, join(root, 'gone'), one!])).toEqual([1000, 0, 0, 1023]);
  expect(await treeSize(one!)).toBe(1023);
  expect(await treeSizes([])).toEqual([]);
});
