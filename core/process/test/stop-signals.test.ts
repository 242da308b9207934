import { EventEmitter } from 'node:events';
import { stopSignals } from '../stop-signals';

test('the first signal asks, the second hurries, each is counted', async () => {
  const process = new EventEmitter();
  const seen: [string, number][] = [];
  const { requested, hurried } = stopSignals(process, (signal, times) => seen.push([signal, times]));
  let hurry = false;
  void hurried.then(() => {
    hurry = true;
  });
  process.emit('SIGTERM');
  await requested;
  expect(hurry).toBe(false);
  process.emit('SIGINT');
  await hurried;
  process.emit('SIGTERM');
  expect(seen).toEqual([
    ['SIGTERM', 1],
    ['SIGINT', 2],
    ['SIGTERM', 3],
  ]);
});
