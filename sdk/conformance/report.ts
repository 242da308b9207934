import { protocolRules, type RuleId } from './rules';
import type { CaseResult } from './suite';

/** A judgement that can be published. */
export interface ConformanceReport {
  /** `volume`, `network`, … */
  readonly kind: string;
  /** Where the plugin was. */
  readonly plugin: string;
  /** What it says it implements. */
  readonly implements: readonly string[];
  /** Version of the SDK whose suite judged it. */
  readonly sdk: string;
  readonly judgedAt: Date;
  readonly results: readonly CaseResult[];
}

/** How a report is written. */
export type ReportFormat = 'text' | 'json' | 'markdown';

/** Numbers of a report: how many cases had which outcome. */
export function countOutcomes(results: readonly CaseResult[]): Record<CaseResult['outcome'], number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of results) counts[outcome]++;
  return counts;
}

/** The report as a text that ends with a newline. */
export function renderReport(report: ConformanceReport, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(asData(report), null, 2)}\n`;
  return format === 'markdown' ? asMarkdown(report) : asText(report);
}

/** One line for a case, and what there is to say about it; without a newline at the end. */
export function renderResult(result: CaseResult): string {
  const what = `${result.id}: ${result.title} (${result.rule})`;
  if (result.outcome === 'passed') return `passed   ${what}`;
  const indent = (text: string) => `         ${text.replaceAll('\n', '\n         ')}`;
  if (result.outcome === 'skipped') return `skipped  ${what}\n${indent(result.reason)}`;
  return `FAILED   ${what}\n${indent(result.reason)}\n${indent(`${result.rule}: ${protocolRules[result.rule]}`)}`;
}

/** Which cases failed, by rule, and the numbers. */
export function renderSummary(report: ConformanceReport): string {
  const { passed, failed, skipped } = countOutcomes(report.results);
  const rules = brokenRules(report).map(([rule, ids]) => `  ${rule.padEnd(9)} ${ids.join(', ')}`);
  return `\n${rules.length > 0 ? `broken rules:\n${rules.join('\n')}\n\n` : ''}${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

function brokenRules({ results }: ConformanceReport): [RuleId, string[]][] {
  const rules = new Map<RuleId, string[]>();
  for (const { outcome, rule, id } of results)
    if (outcome === 'failed') rules.set(rule, [...(rules.get(rule) ?? []), id]);
  return [...rules];
}

const asText = (report: ConformanceReport): string =>
  `${report.results.map(renderResult).join('\n')}\n${renderSummary(report)}`;

function asData(report: ConformanceReport): object {
  return {
    kind: report.kind,
    plugin: report.plugin,
    implements: report.implements,
    sdk: report.sdk,
    judgedAt: report.judgedAt.toISOString(),
    counts: countOutcomes(report.results),
    results: report.results.map((result) => {
      const { error: _error, ...rest } = result as CaseResult & { error?: unknown };
      return result.outcome === 'failed' ? { ...rest, explanation: protocolRules[result.rule] } : rest;
    }),
  };
}

function asMarkdown(report: ConformanceReport): string {
  const { passed, failed, skipped } = countOutcomes(report.results);
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', '<br>');
  const marks = { passed: '✅', failed: '❌', skipped: '➖' } as const;
  const rows = report.results.map((result) => {
    const said = result.outcome === 'passed' ? '' : cell(result.reason);
    return `| ${marks[result.outcome]} | \`${result.id}\` | ${cell(result.title)} | ${result.rule} | ${said} |`;
  });
  const broken = brokenRules(report).map(([rule]) => `- **${rule}**: ${protocolRules[rule]}`);
  return [
    `# Conformance of a ${report.kind} plugin`,
    '',
    `- plugin: \`${report.plugin}\`, implements ${report.implements.join(', ')}`,
    `- judged at ${report.judgedAt.toISOString()} with @gantry/sdk ${report.sdk}`,
    `- ${passed} passed, ${failed} failed, ${skipped} skipped`,
    '',
    '| | case | expectation | rule | |',
    '|---|---|---|---|---|',
    ...rows,
    ...(broken.length > 0 ? ['', '## Broken rules', '', ...broken] : []),
    '',
  ].join('\n');
}
