import type { TestDaemon } from './daemon';

/** How containers that count are run. */
export interface Counting {
  readonly containers: number;
  /** How long they take at least; absent: as fast as they can. */
  readonly seconds?: number;
  /** Lines of each container, `1` to this: a multiple of 1000. */
  readonly lines: number;
  /** Further arguments of `docker run`, such as log options. */
  readonly options: readonly string[];
}

const name = (index: number) => `counter${index}`;

/**
 * Starts containers that print numbers: every other one a line at a time, the others in bursts that are cut in the middle
 * of lines, as programs do that write to a pipe.
 */
export async function startCounting(daemon: TestDaemon, counting: Counting): Promise<void> {
  const { containers, lines, options, seconds = 0 } = counting;
  const pauseUs = (step: number) => Math.round((seconds * 1e6 * step) / lines);
  const rest = (step: number) => (seconds === 0 ? '' : `usleep ${pauseUs(step)};`);
  const lineByLine = `while [ $i -lt $((j+100)) ]; do i=$((i+1)); echo $i; done; j=$i; ${rest(100)}`;
  const bursts = `seq $((j+1)) $((j+1000)); j=$((j+1000)); ${rest(1000)}`;
  await Promise.all(
    Array.from({ length: containers }, (_, index) =>
      daemon.cli.ok(
        ...['run', '-d', '--name', name(index), '--network', 'none', ...options, 'busybox', 'sh', '-c'],
        `i=0; j=0; while [ $j -lt ${lines} ]; do ${index % 2 === 0 ? lineByLine : bursts} done`,
      ),
    ),
  );
}

/** Waits until all have ended. */
export async function untilCounted(daemon: TestDaemon, { containers }: Counting): Promise<void> {
  const names = Array.from({ length: containers }, (_, index) => name(index));
  await daemon.cli.ok('wait', ...names);
}

/** What is wrong with the logs: nothing, when every line is there once and in order. */
export async function miscounts(daemon: TestDaemon, { containers, lines }: Counting): Promise<string[]> {
  const problems: string[] = [];
  for (let index = 0; index < containers; index++) {
    const { body } = await daemon.api.get(`/containers/${name(index)}/logs?stdout=1`, { timeoutMs: 120_000 });
    const wrong = firstMiscount(numbersOf(body), lines);
    if (wrong !== undefined) problems.push(`${name(index)}: ${wrong}`);
  }
  return problems;
}

/** The numbers in a framed log. */
function numbersOf(body: Buffer): string[] {
  const payloads: Buffer[] = [];
  for (let at = 0; at + 8 <= body.length; ) {
    const end = at + 8 + body.readUInt32BE(at + 4);
    payloads.push(body.subarray(at + 8, end));
    at = end;
  }
  const text = Buffer.concat(payloads).toString('latin1');
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** @returns undefined when the numbers are 1 to `lines` */
export function firstMiscount(numbers: readonly string[], lines: number): string | undefined {
  for (let index = 0; index < Math.max(numbers.length, lines); index++)
    if (numbers[index] !== String(index + 1))
      return `${numbers.length} of ${lines} lines; after ${numbers[index - 1]} comes ${numbers.slice(index, index + 3)}`;
  return undefined;
}
