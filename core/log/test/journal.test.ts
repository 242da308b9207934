import { createLog } from '../create-logger';
import { isJournal, journalPrefix } from '../journal';
import { loggedCalls } from '../logged-calls';

test('stderr is the journal when it is the very stream that systemd names', () => {
  const identity = () => ({ dev: 8n, ino: 4711n });
  expect(isJournal('8:4711', identity)).toBe(true);
  expect(isJournal('8:4712', identity)).toBe(false);
  expect(isJournal('', identity)).toBe(false);
});

test('levels have the priorities of syslog', () => {
  const levels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
  expect(levels.map(journalPrefix)).toEqual(['<7>', '<6>', '<4>', '<3>', '<2>']);
});

test('whoever writes lines learns the level of each, in both forms', () => {
  for (const format of ['text', 'json'] as const) {
    const levels: string[] = [];
    const log = createLog(format, 'debug', (_, level) => levels.push(level));
    log.debug('a');
    log.child({ plugin: 'x' }).error('b');
    log.fatal('c');
    expect(levels).toEqual(['debug', 'error', 'fatal']);
  }
});

test('the form of the lines changes for children too', () => {
  const lines: string[] = [];
  const log = createLog('text', 'info', (line) => lines.push(line));
  const child = log.child({ plugin: 'x' });
  child.info('one');
  log.setFormat('json');
  child.info('two');
  expect(lines[0]).toContain('msg="one"');
  expect(JSON.parse(lines[1]!)).toMatchObject({ msg: 'two', plugin: 'x', level: 'info' });
});

test('calls of plugins are lines at debug level, and nothing otherwise', () => {
  const lines: string[] = [];
  const log = createLog('text', 'info', (line) => lines.push(line));
  const watch = loggedCalls(log);
  expect(watch('volume-local', 'volume-driver.create')).toBeUndefined();
  log.setLevel('debug');
  watch('volume-local', 'volume-driver.create')!.ended(new Error('no space'));
  expect(lines[0]).toMatch(/msg="plugin call" plugin=volume-local method=volume-driver.create ms=\S+ error="no space"/);
});
