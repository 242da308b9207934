import { runProgram } from '@gantry/sdk/process';

// A hard-linked file counts once and directories not at all, as `docker system df` counts. One process for all trees:
// most volumes are small, and starting a process costs more than they do.
const script = `find "$@" ! -type d -printf '%D:%i %s %H\\n' 2>/dev/null | sort -u |
  awk '{ bytes = $2; sub(/^[^ ]* [^ ]* /, ""); sum[$0] += bytes } END { for (tree in sum) printf "%.0f %s\\n", sum[tree], tree }'`;

/** As many paths as fit into a command line of any system. */
const pathsAtOnce = 1000;

/** Bytes below a directory, counted by a child process. */
export async function treeSize(path: string, signal?: AbortSignal): Promise<number> {
  return (await treeSizes([path], signal))[0]!;
}

/** Bytes below each of these directories, in their order; 0 for one that is empty or cannot be read. */
export async function treeSizes(paths: readonly string[], signal?: AbortSignal): Promise<number[]> {
  const sizes = new Array<number>(paths.length).fill(0);
  for (let from = 0; from < paths.length; from += pathsAtOnce) {
    const part = paths.slice(from, from + pathsAtOnce);
    const places = new Map(part.map((path, index) => [path, from + index]));
    const lines = await runProgram('/bin/sh', ['-c', script, 'tree-size', ...part], signal);
    for (const line of lines.split('\n')) {
      const blank = line.indexOf(' ');
      const place = places.get(line.slice(blank + 1));
      if (place !== undefined) sizes[place] = Number(line.slice(0, blank));
    }
  }
  return sizes;
}
