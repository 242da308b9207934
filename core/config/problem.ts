/** One thing wrong with the configuration, and where a person finds it. */
export interface Problem {
  /** `/etc/docker/daemon.json:3:5 (/log-level)`, or `--log-level`. */
  readonly where: string;
  readonly message: string;
}

/** Several problems at once: the daemon does not start, and says everything it knows. */
export class ConfigurationError<Partial = unknown> extends Error {
  /**
   * @param exitCode  125 when the command line itself cannot be read, as dockerd
   * @param partial   what could be read all the same, so that it can be judged further
   */
  constructor(
    readonly problems: readonly Problem[],
    readonly exitCode: 1 | 125 = 1,
    readonly partial?: Partial,
  ) {
    super(problems.map(renderProblem).join('\n'));
    this.name = 'ConfigurationError';
  }
}

export function renderProblem(problem: Problem): string {
  return problem.where === '' ? problem.message : `${problem.where}: ${problem.message}`;
}
