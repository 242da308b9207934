/**
 * A test that some machines or settings cannot run. It is skipped with its reason on standard error, so that nobody
 * takes a silent skip for a pass.
 *
 * @param reason why it cannot run here; false or undefined: it can
 */
export function testUnless(
  reason: string | false | undefined,
): (name: string, run: jest.ProvidesCallback, timeoutMs?: number) => void {
  return (name, run, timeoutMs) => {
    if (!reason) {
      test(name, run, timeoutMs);
      return;
    }
    process.stderr.write(`skipped: ${name}: ${reason}\n`);
    test.skip(name, run);
  };
}
