import { basename, dirname, join } from 'node:path';

/** A file of the built package, also when the sources themselves run (as the unit tests do): what threads begin with. */
export function builtFile(...path: string[]): string {
  const packageRoot = dirname(__dirname);
  const built = basename(packageRoot) === 'dist' ? packageRoot : join(packageRoot, 'dist');
  return join(built, ...path);
}
