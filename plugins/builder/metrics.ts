import { errorMessage, type MetricsSource } from '@gantry/sdk';

/** dockerd's reasons, and how an error tells that it is one of them. The first that fits counts. */
const reasons: readonly (readonly [reason: string, fits: RegExp])[] = [
  ['build_canceled', /^Build cancelled/],
  ['dockerfile_empty_error', /cannot be empty|file with no instructions/],
  ['unknown_instruction_error', /unknown instruction/],
  ['build_target_not_reachable_error', /target stage|failed to reach build target/],
  ['dockerfile_syntax_error', /(parse error|syntax error|Dockerfile[^:]*:\d+)/],
];
const otherwise = 'error_processing_commands_error';

/** Builds as Prometheus counts them, by dockerd's names. */
export class BuildCounts implements MetricsSource {
  private triggered = 0;
  private readonly failed = new Map<string, number>(
    [...reasons.map(([reason]) => reason), otherwise].map((reason) => [reason, 0]),
  );

  began(): void {
    this.triggered++;
  }

  hasFailed(error: unknown): void {
    const message = errorMessage(error);
    const reason = reasons.find(([, fits]) => fits.test(message))?.[0] ?? otherwise;
    this.failed.set(reason, this.failed.get(reason)! + 1);
  }

  metrics() {
    return [
      {
        name: 'builder_builds_triggered_total',
        help: 'Number of triggered image builds',
        type: 'counter' as const,
        samples: [{ value: this.triggered }],
      },
      {
        name: 'builder_builds_failed_total',
        help: 'Number of failed image builds',
        type: 'counter' as const,
        samples: [...this.failed].map(([reason, value]) => ({ labels: { reason }, value })),
      },
    ];
  }
}
