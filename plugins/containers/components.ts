import { runProgram } from '@gantry/sdk/process';
import type { Engine } from './engine';

/** A `Components` entry of GET /version. */
export interface Component {
  readonly Name: string;
  readonly Version: string;
  readonly Details: { readonly GitCommit: string };
}

/** How the init is called here, whichever program it is. */
export const INIT_NAME = 'docker-init';

/** The programs containers are run with: the default OCI runtime and the init. */
export function runtimeComponents(engine: Engine): () => Promise<readonly Component[]> {
  // The programs do not change under a running daemon often enough to be asked with every request.
  let init: Promise<Component | undefined> | undefined;
  return async () => {
    init ??= initComponent(engine.host.initPath);
    const runtime = await engine.runtimes
      .get(engine.settings.defaultRuntime)
      ?.version()
      .catch(() => undefined);
    const found = [
      runtime && { Name: runtime.name, Version: runtime.version, Details: { GitCommit: runtime.commit } },
      await init,
    ];
    return found.filter((component) => component !== undefined);
  };
}

/** `tini version 0.19.0 - git.de40ad0`; distributions leave the commit out. */
async function initComponent(path: string | undefined): Promise<Component | undefined> {
  if (path === undefined) return undefined;
  const text = await runProgram(path, ['--version']).catch(() => '');
  const [, version, commit = ''] = /version (\S+)(?: - git\.([0-9a-f]+))?/.exec(text) ?? [];
  return version === undefined ? undefined : { Name: INIT_NAME, Version: version, Details: { GitCommit: commit } };
}
