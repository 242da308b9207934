/** One reason why the plugin set cannot run. `pointer` is a path into daemon.json. */
export interface PluginProblem {
  readonly plugin: string;
  readonly pointer: string;
  readonly message: string;
}

/** Everything that is wrong with the plugin set, at once. */
export class PluginSetError extends Error {
  constructor(readonly problems: readonly PluginProblem[]) {
    super(problems.map((problem) => problem.message).join('\n'));
    this.name = 'PluginSetError';
  }
}

export const pluginPointer = (name: string): string => `/plugins/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
