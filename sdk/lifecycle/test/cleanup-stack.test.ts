import { CleanupStack } from '../cleanup-stack';

test('steps run last in, first out, and a failing one does not stop the others', async () => {
  const ran: string[] = [];
  const stack = new CleanupStack();
  stack.push(() => {
    ran.push('first');
  });
  stack.push(() => {
    ran.push('second');
    throw new Error('busy');
  });
  stack.push({ close: async () => void ran.push('third') });
  const failures = await stack.runAll();
  expect(ran).toEqual(['third', 'second', 'first']);
  expect(failures).toEqual([new Error('busy')]);
});
