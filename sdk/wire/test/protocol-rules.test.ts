import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  authorizationSuite,
  ipamDriverSuite,
  logDriverSuite,
  metricsCollectorSuite,
  networkDriverSuite,
  protocolRules,
  secretProviderSuite,
  volumeDriverSuite,
} from '../../conformance';
import { notShown, ruleCounts, shownRules } from './protocol-rules';

const root = resolve(__dirname, '../../..');

function textOf(path: string): string {
  const at = join(root, path);
  if (!statSync(at).isDirectory()) return readFileSync(at, 'utf8');
  return readdirSync(at)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(at, name), 'utf8'))
    .join('\n');
}

test.each(Object.entries(shownRules))('%s is shown by tests that are there', (_rule, shown) => {
  for (const [file, name] of shown)
    expect(`${file}: ${textOf(file).includes(name) ? name : 'missing'}`).toBe(`${file}: ${name}`);
});

test('every rule that plugins are told about is judged by a suite', () => {
  const suites = [
    volumeDriverSuite,
    networkDriverSuite,
    ipamDriverSuite,
    logDriverSuite,
    authorizationSuite,
    metricsCollectorSuite,
    secretProviderSuite,
  ];
  const judged = new Set(suites.flatMap((suite) => suite.cases.map(({ rule }) => rule)));
  expect(Object.keys(protocolRules).filter((rule) => !judged.has(rule as keyof typeof protocolRules))).toEqual([]);
});

test('every rule is shown by a test, judged by a suite, or listed with the reason why not', () => {
  const all = Object.entries(ruleCounts).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `P-${part}-${index + 1}`),
  );
  const proved = new Set([...Object.keys(shownRules), ...Object.keys(protocolRules)]);
  expect(all.filter((rule) => !proved.has(rule))).toEqual(
    Object.keys(notShown).sort((a, b) => all.indexOf(a) - all.indexOf(b)),
  );
});
