import { expect, test } from '@jest/globals';
import { FreezeGate } from '../run/freeze-gate';

const never = () => new Promise<void>(() => {});
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('freezing waits for those who are entering, and whoever comes then waits for the freezing', async () => {
  const gate = new FreezeGate();
  const seen: string[] = [];
  let inside!: () => void;
  const first = gate.enter(() => new Promise<void>((resolve) => (inside = resolve))).then(() => seen.push('inside'));
  const frozen = gate.freeze(async () => void seen.push('frozen'), never);
  const second = gate.enter(async () => void seen.push('late'));
  await turn();
  expect(seen).toEqual([]);
  inside();
  await Promise.all([first, frozen, second]);
  expect(seen).toEqual(['inside', 'frozen', 'late']);
});

test('one who never gets inside does not hold up the freezing for ever, a failure opens the gate', async () => {
  const gate = new FreezeGate();
  void gate.enter(never);
  await expect(
    gate.freeze(
      async () => {
        throw new Error('cannot');
      },
      async () => {},
    ),
  ).rejects.toThrow('cannot');
  await gate.enter(async () => {});
});
