import { daemonForSuite } from '../support/daemon';
import { sleep } from '../support/eventually';
import { miscounts, startCounting, untilCounted } from '../support/numbered-output';

/** Lines of all ten containers together. The long drill: GANTRY_LOG_LINES=1000000. */
const allLines = Number(process.env.GANTRY_LOG_LINES ?? 60_000);
const isLong = process.env.GANTRY_LOG_LINES !== undefined;
const containers = 10;
const lines = allLines / containers;

const daemon = daemonForSuite({
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});
const removeAll = () =>
  Promise.all(Array.from({ length: containers }, (_, index) => daemon().cli.ok('rm', '-f', `counter${index}`)));

const rotation = ['--log-opt', `max-size=${isLong ? '1m' : '100k'}`, '--log-opt', 'max-file=40'];

test.each([
  ['json-file', rotation],
  ['json-file', [...rotation, '--log-opt', 'compress=true']],
  ['local', ['--log-driver', 'local', ...rotation]],
] as const)(
  'every line of ten containers at once is in the rotated log of %s (%j), once and in order',
  async (_, options) => {
    const counting = { containers, lines, options };
    await startCounting(daemon(), counting);
    await untilCounted(daemon(), counting);
    expect(await miscounts(daemon(), counting)).toEqual([]);
    await removeAll();
  },
  isLong ? 600_000 : 60_000,
);

test(
  'no line is lost, doubled or moved when the daemon is killed again and again meanwhile',
  async () => {
    const counting = { containers, lines, options: rotation, seconds: isLong ? 60 : 6 };
    await startCounting(daemon(), counting);
    let kills = 0;
    const startMs: number[] = [];
    const allRun = async () => (await daemon().cli.ok('ps', '-q')).split('\n').length === containers;
    while (await allRun()) {
      await daemon().kill();
      kills++;
      const before = Date.now();
      await daemon().start();
      startMs.push(Date.now() - before);
      // Where a start takes long there is to be some time between two of them.
      await sleep(Math.random() * Math.max(300, startMs.at(-1)!));
    }
    await untilCounted(daemon(), counting);
    if (isLong) console.log(`${allLines} lines, the daemon was killed ${kills} times, starts took ${startMs} ms`);
    expect(await miscounts(daemon(), counting)).toEqual([]);
    await removeAll();
  },
  isLong ? 600_000 : 60_000,
);
