import { constants, setPriority } from 'node:os';
/* A thread for what reads and writes many files: file by file without waiting is several times faster. */
import { parentPort } from 'node:worker_threads';
import { errorKind, errorMessage } from '@gantry/sdk';
import { copyFiles, makeDirectory } from './copy-files';
import { DirectoryTree } from './directory-tree';
import { type FileTask, type FileTaskResult, type FromFileWorker, type ToFileWorker, withLists } from './file-tasks';
import { makeEqual } from './make-equal';
import { type CopyItem, findSources, labelOf, MissingFile, withDigests } from './select-files';
import { missingPaths, removeEmpty, resolveInside, unpackTree } from './unpack-tree';

// Of this thread alone, on Linux: whoever answers requests goes first where processors are short.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const port = parentPort!;

const everything = { instruction: 'COPY', sources: ['.'], excludes: [], parents: false, fromContext: true } as const;

/** Items of the job that is being sent. */
let items: CopyItem[] = [];

port.on('message', (message: ToFileWorker) => {
  if (message.task === undefined) {
    items.push(...message.items);
    return;
  }
  const { job } = message;
  const task = message.counts === undefined ? message.task : complete(message.task, message.counts, items);
  items = [];
  perform(task).then(
    (result) => port.postMessage({ job, result } satisfies FromFileWorker),
    (error: unknown) => {
      const missing = error instanceof MissingFile ? { missing: error.path } : {};
      const failed = { kind: errorKind(error), message: errorMessage(error), ...missing };
      port.postMessage({ job, failed } satisfies FromFileWorker);
    },
  );
});

/** Gives a task the items that came ahead. */
function complete(task: FileTask, counts: readonly number[], ahead: readonly CopyItem[]): FileTask {
  let at = 0;
  const lists = counts.map((count) => {
    at += count;
    return ahead.slice(at - count, at);
  });
  return withLists(task, lists);
}

async function perform(task: FileTask): Promise<FileTaskResult> {
  switch (task.kind) {
    case 'copy':
      return copyFiles(task.job);
    case 'make-directory':
      return makeDirectory(task.root, task.path);
    case 'label':
      return labelOf(await findSources(new DirectoryTree(task.root), task.request));
    case 'select':
      return withDigests(await findSources(new DirectoryTree(task.root), task.request));
    case 'list':
      return findSources(new DirectoryTree(task.root), everything);
    case 'unpack-tree':
      return unpackTree(task.items, task.root);
    case 'resolve':
      return resolveInside(task.root, task.path);
    case 'missing':
      return missingPaths(task.root, task.paths);
    case 'make-equal':
      return makeEqual(task.root, task.source);
    case 'remove-empty':
      return removeEmpty(task.root, task.paths);
  }
}
