import { createLog } from '../create-logger';

function lines(format: 'text' | 'json', level: 'debug' | 'info' | 'warn' = 'info') {
  const written: string[] = [];
  return { written, log: createLog(format, level, (line) => written.push(line)) };
}

test('a text line reads as dockerd writes it', () => {
  const { log, written } = lines('text');
  log.child({ plugin: 'volumes' }).warn('two "words"', { path: '/a b', count: 2, none: undefined });
  expect(written[0]).toMatch(
    /^time="\d{4}-\d\d-\d\dT[\d:.]+Z" level=warning msg="two \\"words\\"" plugin=volumes path="\/a b" count=2\n$/,
  );
});

test('a message cannot forge a second line', () => {
  const { log, written } = lines('text');
  log.info('a\nlevel=fatal', { name: 'x\ny' });
  expect(written.join('').split('\n')).toHaveLength(2);
});

test('a JSON line has the names of dockerd, and an error keeps its message', () => {
  const { log, written } = lines('json');
  log.error('it broke', { error: new Error('no disk'), container: 'abc' });
  expect(JSON.parse(written[0]!)).toMatchObject({
    level: 'error',
    msg: 'it broke',
    time: expect.stringMatching(/^\d{4}-/),
    container: 'abc',
    error: { message: 'no disk' },
  });
});

test('the level can change while children are in use', () => {
  const { log, written } = lines('text');
  const child = log.child({ plugin: 'x' });
  child.debug('unseen');
  log.setLevel('debug');
  child.debug('seen');
  expect(written).toEqual([expect.stringContaining('msg="seen"')]);
});
