/** Who was started, and who was not. */
export interface BootReport {
  readonly started: readonly {
    readonly name: string;
    readonly version: string;
    readonly startMs: number;
    readonly readyMs: number;
    /** `volume-driver/v1 local`, … */
    readonly provides: readonly string[];
  }[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** A table for people, one line per plugin. */
export function renderBootReport(report: BootReport): string[] {
  const rows = [
    ['PLUGIN', 'VERSION', 'START', 'READY', 'PROVIDES'],
    ...report.started.map((it) => [
      it.name,
      it.version,
      `${Math.round(it.startMs)} ms`,
      `${Math.round(it.readyMs)} ms`,
      it.provides.join(', '),
    ]),
    ...report.skipped.map((it) => [it.name, '-', '-', '-', `skipped: ${it.reason}`]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}
