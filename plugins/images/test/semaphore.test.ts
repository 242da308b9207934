import { Semaphore } from '../registry/semaphore';

const never = new AbortController().signal;

test('more places let in who waits', async () => {
  const slots = new Semaphore(1);
  await slots.acquire(never);
  const second = slots.acquire(never);
  slots.resize(2);
  await second;
  expect(slots.isFull).toBe(true);
});

test('fewer places take effect as holders leave', async () => {
  const slots = new Semaphore(3);
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => slots.acquire(never)));
  slots.resize(1);
  let entered = false;
  const fourth = slots.acquire(never).then((free) => {
    entered = true;
    return free;
  });
  one!();
  two!();
  await new Promise(setImmediate);
  expect(entered).toBe(false);
  three!();
  (await fourth)();
  expect(slots.isFull).toBe(false);
});
