import { invalidParameter } from '@gantry/sdk';
import { durationNs } from './duration';
import type { Healthcheck } from './instructions';
import type { Parts } from './parse-instruction';
import { jsonWords } from './words';

/** What follows HEALTHCHECK. @throws invalid-parameter */
export function parseHealthcheck({ rest, flags }: Parts): Healthcheck {
  const [, word = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest.trim()) ?? [];
  const type = word.toUpperCase();
  if (type === '') throw invalidParameter('HEALTHCHECK requires at least one argument');
  if (type === 'NONE') {
    if (command !== '') throw invalidParameter('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  if (type !== 'CMD') throw invalidParameter(`Unknown type "${type}" in HEALTHCHECK (try CMD)`);
  const read = jsonWords(command);
  if (read.kind === 'not-strings')
    throw invalidParameter('when using JSON array syntax, arrays must be comprised of strings only');
  const words = read.kind === 'words' ? ['CMD', ...read.words] : ['CMD-SHELL', ...(command === '' ? [] : [command])];
  if (words.length === 1) throw invalidParameter('Missing command after HEALTHCHECK CMD');
  const retries = flags.text('retries');
  if (retries !== undefined && !/^-?\d+$/.test(retries))
    throw invalidParameter(`--retries: "${retries}" is not a whole number`);
  if (Number(retries ?? 0) < 0) throw invalidParameter(`--retries cannot be negative (${retries})`);
  const interval = (name: string) => optionalInterval(name, flags.text(name));
  return {
    Test: words,
    ...field('Interval', interval('interval')),
    ...field('Timeout', interval('timeout')),
    ...field('StartPeriod', interval('start-period')),
    ...field('StartInterval', interval('start-interval')),
    ...field('Retries', Number(retries ?? 0)),
  };
}

const field = (name: string, value: number): object => (value === 0 ? {} : { [name]: value });

function optionalInterval(name: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const ns = durationNs(text);
  if (ns !== 0 && ns < 1_000_000) throw invalidParameter(`Interval "${name}" cannot be less than 1ms`);
  return ns;
}
