/** One operation of the Engine API on containers, and the test that shows that it works. None is refused. */
export interface Operation {
  /** Method and path as the routes of the engine have them. */
  readonly operation: string;
  /** Query parameters that act, or are refused by name; those of the API's schema and those clients send besides. */
  readonly parameters: readonly string[];
  /** File below `test/`, and the title of the test that shows it. */
  readonly file: string;
  readonly title: string;
}

const LIFECYCLE = 'cli/lifecycle.test.ts';
const OBSERVE = 'cli/observe.test.ts';
const EXEC = 'cli/exec-and-attach.test.ts';
const LIST = 'api/list-and-prune.test.ts';
const COPY = 'cli/copy.test.ts';
const CHECKPOINTS = 'cli/checkpoints.test.ts';
const NETWORKS = 'cli/networks.test.ts';

function works(operation: string, parameters: string, file: string, title: string): Operation {
  return { operation, parameters: parameters.split(' ').filter(Boolean), file, title };
}

/*
 * Every operation under /containers, /exec and /commit, and those of /networks that belong to containers. Fields of
 * request bodies have a table of their own.
 */
export const operations: readonly Operation[] = [
  works('GET /containers/json', 'all limit size filters', LIST, 'a list is narrowed by every filter dockerd knows'),
  works(
    'POST /containers/create',
    'name platform',
    'cli/run.test.ts',
    'run --rm prints what the command says and leaves no container',
  ),
  works('GET /containers/{id}/json', 'size', LIFECYCLE, 'inspect tells how the container was made and how it does'),
  works(
    'GET /containers/{id}/top',
    'ps_args',
    OBSERVE,
    'top takes the arguments of ps and shows only what runs in the container',
  ),
  works(
    'GET /containers/{id}/logs',
    'follow stdout stderr since until timestamps tail details',
    'cli/logs-and-exec.test.ts',
    'logs with times can be cut by since and until',
  ),
  works(
    'GET /containers/{id}/changes',
    '',
    OBSERVE,
    'diff tells what was added, changed and deleted; export has the whole tree',
  ),
  works(
    'GET /containers/{id}/export',
    '',
    OBSERVE,
    'diff tells what was added, changed and deleted; export has the whole tree',
  ),
  works('GET /containers/{id}/stats', 'stream one-shot', OBSERVE, 'statistics are the numbers of the control groups'),
  works(
    'POST /containers/{id}/resize',
    'h w',
    'cli/run.test.ts',
    'run -it has a terminal that takes keys and follows the size of the window',
  ),
  works(
    'POST /containers/{id}/start',
    'detachKeys checkpoint checkpoint-dir',
    LIFECYCLE,
    'a stopped container starts again with its files and its log',
  ),
  works(
    'POST /containers/{id}/stop',
    'signal t',
    LIFECYCLE,
    'stop sends the stop signal first and SIGKILL after the time given',
  ),
  works(
    'POST /containers/{id}/restart',
    'signal t',
    EXEC,
    'start, stop and restart take every flag; restart keeps a container that is to be removed',
  ),
  works('POST /containers/{id}/kill', 'signal', LIFECYCLE, 'kill sends any signal by name or number'),
  works(
    'POST /containers/{id}/update',
    '',
    OBSERVE,
    'update changes limits and the restart policy of a running container',
  ),
  works('POST /containers/{id}/rename', 'name', LIFECYCLE, 'rename gives a running container another name'),
  works('POST /containers/{id}/pause', '', LIFECYCLE, 'pause holds a container and unpause lets it go on'),
  works('POST /containers/{id}/unpause', '', LIFECYCLE, 'pause holds a container and unpause lets it go on'),
  works(
    'POST /containers/{id}/attach',
    'detachKeys logs stream stdin stdout stderr',
    EXEC,
    'attach takes every flag the client has',
  ),
  works(
    'GET /containers/{id}/attach/ws',
    'detachKeys logs stream stdin stdout stderr',
    'api/attach-websocket.test.ts',
    'a websocket carries input and output of a container, unframed and in binary messages',
  ),
  works('POST /containers/{id}/wait', 'condition', EXEC, 'wait knows its three conditions'),
  works(
    'DELETE /containers/{id}',
    'v force link',
    LIFECYCLE,
    'rm -v takes anonymous volumes along and leaves named ones',
  ),
  works(
    'HEAD /containers/{id}/archive',
    'path',
    COPY,
    'the archive routes answer as dockerd does when something is in the way',
  ),
  works(
    'GET /containers/{id}/archive',
    'path',
    COPY,
    'a tree with links, devices, a fifo, modes, owners and times goes in and comes back as it was',
  ),
  works(
    'PUT /containers/{id}/archive',
    'path noOverwriteDirNonDir copyUIDGID',
    COPY,
    'copyUIDGID gives what is copied to the user of the container',
  ),
  works(
    'POST /containers/prune',
    'filters',
    LIST,
    'prune removes what is stopped and matches, and says how much was freed',
  ),
  works(
    'POST /commit',
    'container repo tag comment author pause changes',
    'cli/commit.test.ts',
    'an image made of a running container has its files, deletions, links and names',
  ),
  works('POST /containers/{id}/exec', '', EXEC, 'exec takes every flag the client has'),
  works('POST /exec/{id}/start', '', EXEC, 'exec takes every flag the client has'),
  works('POST /exec/{id}/resize', 'h w', EXEC, 'an exec can be inspected while it runs and after it has ended'),
  works('GET /exec/{id}/json', '', EXEC, 'an exec can be inspected while it runs and after it has ended'),
  works('POST /networks/{id}/connect', '', NETWORKS, 'containers of different networks do not reach each other'),
  works('POST /networks/{id}/disconnect', '', NETWORKS, 'containers of different networks do not reach each other'),
  works(
    'GET /containers/{id}/checkpoints',
    'dir',
    CHECKPOINTS,
    'a checkpoint may lie anywhere and is deleted when that is asked',
  ),
  works(
    'POST /containers/{id}/checkpoints',
    '',
    CHECKPOINTS,
    'the processes of a container go on from a checkpoint, as often as it is asked',
  ),
  works(
    'DELETE /containers/{id}/checkpoints/{checkpoint}',
    'dir',
    CHECKPOINTS,
    'a checkpoint may lie anywhere and is deleted when that is asked',
  ),
];
