/**
 * Preloaded into a daemon by `node --require`. Names and counts what the daemon does to the world (files, mounts,
 * processes, netlink, shims, answers) and kills the process right before one of these effects, so that a drill can
 * end it between any two of them.
 *
 * One JSON document per line on the socket GANTRY_EFFECTS_SOCKET: `{"arm":{"label":"…","nth":1}}` kills before the
 * nth effect of that name, `{"arm":null}` only counts, `{"list":true}` answers with what was counted since.
 */
const { Socket, createServer } = require('node:net');
const childProcess = require('node:child_process');
const fs = require('node:fs');
const { join } = require('node:path');
const { isMainThread } = require('node:worker_threads');
const { promisify } = require('node:util');

const path = process.env.GANTRY_EFFECTS_SOCKET;
// What the daemon starts has effects of its own.
delete process.env.GANTRY_EFFECTS_SOCKET;
delete process.env.NODE_OPTIONS;
const root = join(__dirname, '../..');

const kill = process.kill.bind(process);
const write = Socket.prototype.write;
const counts = new Map();
let victim = null;

/** Ids, numbers and the daemon's folder differ between runs; what was done does not. */
const plain = (text) =>
  String(text)
    .replace(/^.*gantry-e2e-\w+\//, '')
    .replaceAll(/\.tmp-[\w.-]+/g, '.tmp')
    .replaceAll(/[0-9a-f]{6,}/g, '*')
    .replaceAll(/\d+/g, 'N');

function effect(label) {
  const nth = (counts.get(label) ?? 0) + 1;
  counts.set(label, nth);
  if (victim?.label !== label || victim.nth !== nth) return;
  kill(process.pid, 'SIGKILL');
  // The signal may need a moment to reach this thread: nothing more may happen in it.
  for (;;);
}

/** Replaces a function by one that counts first, keeping what hangs on it. */
function announce(owner, name, labelOf) {
  const original = owner[name];
  if (typeof original !== 'function') return;
  const announced = function (...args) {
    const label = labelOf(...args);
    if (label !== undefined) effect(label);
    return original.apply(this, args);
  };
  owner[name] = Object.assign(announced, original);
  const promised = original[promisify.custom];
  if (!promised) return;
  announced[promisify.custom] = (...args) => {
    effect(labelOf(...args));
    return promised(...args);
  };
}

function watchFiles() {
  const changes = [
    'mkdir',
    'rm',
    'rmdir',
    'unlink',
    'rename',
    'symlink',
    'link',
    'chmod',
    'chown',
    'lchown',
    'mkdtemp',
  ];
  const contents = ['writeFile', 'appendFile', 'truncate', 'copyFile', 'cp', 'utimes', 'lutimes'];
  for (const name of [...changes, ...contents]) {
    const labelOf = (first) => (typeof first === 'number' ? undefined : `${name} ${plain(first)}`);
    announce(fs.promises, name, labelOf);
    announce(fs, name, labelOf);
    announce(fs, `${name}Sync`, labelOf);
  }
  const opened = (file, flags) =>
    /[wa+]/.test(String(flags ?? 'r')) && typeof flags === 'string' ? `open ${plain(file)}` : undefined;
  announce(fs.promises, 'open', opened);
  announce(fs, 'openSync', opened);
  // The class has no name to be reached by.
  void fs.promises.open(__filename).then((handle) => {
    const files = Object.getPrototypeOf(handle);
    for (const name of ['writeFile', 'appendFile', 'datasync', 'sync']) announce(files, name, () => `file.${name}`);
    return handle.close();
  });
}

function watchProcesses() {
  const program = (file, args) => `run ${plain(file)} ${Array.isArray(args) ? plain(args[0] ?? '') : ''}`.trim();
  for (const name of ['spawn', 'execFile', 'execFileSync', 'spawnSync', 'fork']) announce(childProcess, name, program);
  announce(process, 'kill', (_pid, signal) => (signal === 0 ? undefined : `kill ${signal}`));
}

/** What leaves through sockets: requests to shims and answers to clients. */
function watchSockets() {
  const ours = new WeakSet();
  Socket.prototype.write = function (data, ...rest) {
    if (!ours.has(this)) {
      const text = Buffer.isBuffer(data) ? data.toString('latin1', 0, 200) : String(data).slice(0, 200);
      const call = /containerd\.task\.v\d\.Task\W+([A-Z]\w+)/.exec(text);
      const answer = /^HTTP\/1\.1 (\d+)/.exec(text);
      if (call) effect(`shim ${call[1]}`);
      else if (answer) effect(`answer ${answer[1]}`);
    }
    return write.call(this, data, ...rest);
  };
  return ours;
}

function watchSystemCalls() {
  const koffi = require(require.resolve('koffi', { paths: [join(root, 'sdk')] }));
  const quiet = /\b(recv|getsockopt|lgetxattr|llistxattr|ioctl|flock|statfs)\b/;
  const { load } = koffi;
  koffi.load = (...args) => {
    const library = load(...args);
    const { func } = library;
    library.func = (...declaration) => {
      const call = func.apply(library, declaration);
      const name = /(\w+)\(/.exec(String(declaration[0]))?.[1] ?? String(declaration[0]);
      if (quiet.test(name)) return call;
      const announced = (...values) => {
        effect(systemCall(name, values));
        return call(...values);
      };
      return Object.assign(announced, {
        async: (...values) => {
          effect(systemCall(name, values));
          return call.async(...values);
        },
      });
    };
    return library;
  };
}

const systemCall = (name, values) =>
  ['mount', 'umount2', 'mkfifo', 'mknod'].includes(name) ? `${name} ${plain(values[name === 'mount' ? 1 : 0])}` : name;

if (path && isMainThread) {
  watchFiles();
  watchProcesses();
  watchSystemCalls();
  const ours = watchSockets();
  fs.rmSync(path, { force: true });
  const server = createServer((socket) => {
    ours.add(socket);
    socket.on('error', () => {});
    socket.on('data', (line) => {
      const { arm, list } = JSON.parse(line);
      const answer = list ? [...counts] : 'armed';
      if (list) victim = null;
      else {
        counts.clear();
        victim = arm;
      }
      socket.end(`${JSON.stringify(answer)}\n`);
    });
  });
  server.listen(path);
  server.unref();
}
