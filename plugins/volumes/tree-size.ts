import { runProgram } from '@gantry/sdk/process';

// A hard-linked file counts once and directories not at all, as `docker system df` counts.
const script = `find "$1" ! -type d -printf '%D:%i %s\\n' | sort -u | awk '{ sum += $2 } END { printf "%.0f", sum }'`;

/** Bytes below a directory, counted by a child process. */
export async function treeSize(path: string, signal?: AbortSignal): Promise<number> {
  return Number(await runProgram('/bin/sh', ['-c', script, 'tree-size', path], signal)) || 0;
}
