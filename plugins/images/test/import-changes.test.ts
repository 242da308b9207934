import { applyChanges } from '../engine/import-changes';

const base = { Env: ['PATH=/bin', 'GREETING=hello world'], Cmd: ['old'], WorkingDir: '/srv' };

test('variables of the image are replaced as in a Dockerfile', () => {
  const changed = applyChanges(base, [
    'ENV PATH=$PATH:/opt/bin NEW="${GREETING}!" RAW=\'$PATH\' KEPT=\\$PATH',
    'ENV OLD ${GREETING} twice',
    'LABEL a="${MISSING:-it is gone}" b=${PATH:+set}',
    'WORKDIR ${MISSING:-sub}',
  ]);
  expect(changed.Env).toEqual([
    'PATH=/bin:/opt/bin',
    'GREETING=hello world',
    'NEW=hello world!',
    'RAW=$PATH',
    'KEPT=$PATH',
    'OLD=hello world twice',
  ]);
  expect(changed.Labels).toEqual({ a: 'it is gone', b: 'set' });
  expect(changed.WorkingDir).toBe('/srv/sub');
});

test('a new entrypoint drops the command of the old one, unless one was given before it', () => {
  expect(applyChanges(base, ['ENTRYPOINT ["run"]'])).toMatchObject({ Entrypoint: ['run'], Cmd: null });
  expect(applyChanges(base, ['CMD ["x"]', 'ENTRYPOINT ["run"]'])).toMatchObject({ Cmd: ['x'] });
});

test.each([
  ['RUN true', 'RUN is not a valid change command'],
  ['SHELL ["sh"]', 'SHELL is not a valid change command'],
  ['ENV', 'ENV requires at least one argument'],
  ['LABEL a="b', 'unexpected end of statement while looking for matching "'],
])('%s is refused', (change, message) => {
  expect(() => applyChanges(base, [change])).toThrow(message);
});
